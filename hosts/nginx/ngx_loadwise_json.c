/* Finds and replaces values in JSON that the engine wrote: objects of objects, well-formed. No parser: it looks for the
 * ends of strings and brackets, and stops at the end of the text whatever that is. */
#include "ngx_loadwise.h"

static u_char *skip_space(u_char *p, u_char *end)
{
    while (p < end && (*p == ' ' || *p == '\n' || *p == '\t' || *p == '\r'))
        p++;
    return p;
}

/* Past the string that begins at `p`. */
static u_char *skip_string(u_char *p, u_char *end)
{
    for (p++; p < end && *p != '"'; p++)
        if (*p == '\\' && p + 1 < end)
            p++;
    return p < end ? p + 1 : end;
}

/* Past the value that begins at `p`. */
static u_char *skip_value(u_char *p, u_char *end)
{
    ngx_uint_t depth = 0;
    while (p < end) {
        if (*p == '"') {
            p = skip_string(p, end);
        } else if (*p == '{' || *p == '[') {
            depth++;
            p++;
        } else if (*p == '}' || *p == ']') {
            if (depth == 0)
                return p;
            depth--;
            p++;
        } else if (depth == 0 && (*p == ',' || *p == ' ' || *p == '\n' || *p == '\t' || *p == '\r')) {
            return p;
        } else {
            p++;
            continue;
        }
        if (depth == 0)
            return p;
    }
    return end;
}

/* The value of `key` into `value`, and where its member begins. NULL if there is none. */
static u_char *find_member(const ngx_str_t *object, const char *key, ngx_str_t *value)
{
    u_char *end = object->data + object->len, *p = skip_space(object->data, end), *name;
    const size_t len = ngx_strlen(key);
    if (p == end || *p != '{')
        return NULL;
    for (p = skip_space(p + 1, end); p < end && *p == '"'; p = skip_space(p + 1, end)) {
        name = p;
        p = skip_space(skip_string(p, end), end);
        if (p == end || *p != ':')
            return NULL;
        value->data = skip_space(p + 1, end);
        p = skip_value(value->data, end);
        value->len = (size_t)(p - value->data);
        if ((size_t)(value->data - name) > len + 1 && name[len + 1] == '"' && ngx_strncmp(name + 1, key, len) == 0)
            return name;
        p = skip_space(p, end);
        if (p == end || *p != ',')
            return NULL;
    }
    return NULL;
}

/* `object` with what is from `from` to `to` replaced. */
static ngx_int_t replace_range(ngx_pool_t *pool, ngx_str_t *object, u_char *from, u_char *to, const ngx_str_t *with)
{
    const size_t before = (size_t)(from - object->data), after = (size_t)(object->data + object->len - to);
    u_char *text = ngx_pnalloc(pool, before + with->len + after);
    if (text == NULL)
        return NGX_ERROR;
    ngx_memcpy(ngx_cpymem(ngx_cpymem(text, object->data, before), with->data, with->len), to, after);
    object->data = text;
    object->len = before + with->len + after;
    return NGX_OK;
}

/* NGX_DECLINED if there is no such key. */
ngx_int_t ngx_loadwise_json_find(const ngx_str_t *object, const char *key, ngx_str_t *value)
{
    return find_member(object, key, value) ? NGX_OK : NGX_DECLINED;
}

/* Replaces the value of `key`, or if `inner` is not NULL, the value of `inner` in the object that `key` has. */
ngx_int_t ngx_loadwise_json_set(ngx_pool_t *pool, ngx_str_t *object, const char *key, const char *inner, const ngx_str_t *value)
{
    ngx_str_t old;
    if (find_member(object, key, &old) == NULL)
        return NGX_ERROR;
    if (inner != NULL) {
        const ngx_str_t outer = old;
        if (find_member(&outer, inner, &old) == NULL)
            return NGX_ERROR;
    }
    return replace_range(pool, object, old.data, old.data + old.len, value);
}

/* Removes a key, which must not be the only one. */
ngx_int_t ngx_loadwise_json_remove(ngx_pool_t *pool, ngx_str_t *object, const char *key)
{
    const ngx_str_t nothing = ngx_string("");
    ngx_str_t value;
    u_char *from = find_member(object, key, &value), *to;
    if (from == NULL)
        return NGX_OK;
    to = skip_space(value.data + value.len, object->data + object->len);
    if (to < object->data + object->len && *to == ',')
        return replace_range(pool, object, from, to + 1, &nothing);
    /* The last one: the comma before it goes, too. */
    while (from > object->data && *from != ',')
        from--;
    return replace_range(pool, object, from, value.data + value.len, &nothing);
}
