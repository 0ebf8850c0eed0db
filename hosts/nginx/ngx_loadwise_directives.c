/* The arguments of the directives that http and stream have in common. What is wrong is told with file and line. */
#include "ngx_loadwise.h"

/* The name of the pool: of metrics, of the status, and a key of the engine's configuration. */
static ngx_int_t is_name(const ngx_str_t *name)
{
    if (name->len == 0 || name->len > NGX_LOADWISE_NAME_MAX)
        return 0;
    for (size_t i = 0; i < name->len; i++) {
        const u_char c = name->data[i];
        if (!((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' || c == '.' || c == '-'))
            return 0;
    }
    return 1;
}

/* If `argument` is `key` and a value, the value. */
static ngx_int_t has_key(const ngx_str_t *argument, const char *key, ngx_str_t *value)
{
    const size_t len = ngx_strlen(key);
    if (argument->len <= len || ngx_strncmp(argument->data, key, len) != 0)
        return 0;
    value->data = argument->data + len;
    value->len = argument->len - len;
    return 1;
}

static char *invalid(ngx_conf_t *cf, const ngx_str_t *argument)
{
    ngx_conf_log_error(NGX_LOG_EMERG, cf, 0, "invalid parameter \"%V\"", argument);
    return NGX_CONF_ERROR;
}

/* Whether the engine takes a text as a strategy. */
static ngx_int_t is_strategy(const ngx_str_t *text, char message[NGX_LOADWISE_ERROR_MAX])
{
    lw_pool pool = 0;
    lw_status status = lw_pool_new("{}", 2, &pool);
    if (status == LW_OK)
        status = lw_pool_set_strategy(pool, ngx_loadwise_str(text));
    if (status != LW_OK)
        ngx_loadwise_last_error(message);
    if (pool != 0)
        (void)lw_pool_free(pool);
    return status == LW_OK;
}

/* `loadwise [strategy=...] [latency=response|header] [shared=PATH ...]`. `host` names the upstream. */
char *ngx_loadwise_set(ngx_conf_t *cf, ngx_loadwise_upstream_t *upstream, ngx_str_t *prefix, ngx_str_t *host)
{
    ngx_loadwise_shared_args_t shared = {ngx_null_string, ngx_null_string, ngx_null_string, ngx_null_string};
    ngx_str_t *args = cf->args->elts, value;
    char message[NGX_LOADWISE_ERROR_MAX];
    if (upstream->set)
        return "is duplicate";
    upstream->set = 1;
    upstream->conf_file = cf->conf_file->file.name.data;
    upstream->conf_line = cf->conf_file->line;
    upstream->name.len = prefix->len + host->len;
    upstream->name.data = ngx_pnalloc(cf->pool, upstream->name.len);
    if (upstream->name.data == NULL)
        return NGX_CONF_ERROR;
    ngx_memcpy(ngx_cpymem(upstream->name.data, prefix->data, prefix->len), host->data, host->len);
    if (!is_name(&upstream->name)) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "upstream \"%V\" cannot be named so with \"loadwise\": at most %d letters, digits, \"_\", \".\", \"-\"",
                           &upstream->name, (int)NGX_LOADWISE_NAME_MAX);
        return NGX_CONF_ERROR;
    }
    if (ngx_loadwise_upstream_named(ngx_loadwise_conf(cf->cycle), &upstream->name) != NULL) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0, "there is another upstream \"%V\" with \"loadwise\"", &upstream->name);
        return NGX_CONF_ERROR;
    }
    for (ngx_uint_t i = 1; i < cf->args->nelts; i++) {
        if (has_key(&args[i], "strategy=", &value)) {
            if (!is_strategy(&value, message)) {
                ngx_conf_log_error(NGX_LOG_EMERG, cf, 0, "invalid strategy \"%V\": %s", &value, message);
                return NGX_CONF_ERROR;
            }
            upstream->strategy = value;
        } else if (ngx_strcmp(args[i].data, "latency=response") == 0) {
            upstream->header_latency = 0;
        } else if (ngx_strcmp(args[i].data, "latency=header") == 0) {
            upstream->header_latency = 1;
        } else if (!has_key(&args[i], "shared=", &shared.path) && !has_key(&args[i], "mode=", &shared.mode) &&
                   !has_key(&args[i], "on_bad_segment=", &shared.on_bad_segment) &&
                   !has_key(&args[i], "max_processes=", &shared.max_processes)) {
            return invalid(cf, &args[i]);
        }
    }
    if (ngx_loadwise_set_shared(cf, upstream, &shared) != NGX_CONF_OK)
        return NGX_CONF_ERROR;
    return ngx_loadwise_add_upstream(cf, upstream) == NGX_OK ? NGX_CONF_OK : NGX_CONF_ERROR;
}

static char *cannot_be_read(ngx_conf_t *cf, ngx_loadwise_upstream_t *upstream, ngx_err_t error, const char *why)
{
    ngx_conf_log_error(NGX_LOG_EMERG, cf, error, "\"%V\" %s", &upstream->file, why);
    return NGX_CONF_ERROR;
}

/* `loadwise_config FILE` */
char *ngx_loadwise_set_config(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_loadwise_upstream_t *upstream = conf;
    ngx_str_t *args = cf->args->elts;
    char message[NGX_LOADWISE_ERROR_MAX], *result = NGX_CONF_OK;
    size_t len;
    ngx_file_t file;
    ngx_file_info_t info;
    (void)cmd;
    if (!upstream->set)
        return NGX_LOADWISE_FIRST;
    if (upstream->file.data != NULL)
        return "is duplicate";
    upstream->file = args[1];
    if (ngx_conf_full_name(cf->cycle, &upstream->file, 1) != NGX_OK)
        return NGX_CONF_ERROR;
    ngx_memzero(&file, sizeof file);
    file.name = upstream->file;
    file.log = cf->log;
    file.fd = ngx_open_file(upstream->file.data, NGX_FILE_RDONLY, NGX_FILE_OPEN, 0);
    if (file.fd == NGX_INVALID_FILE)
        return cannot_be_read(cf, upstream, ngx_errno, "cannot be opened");
    if (ngx_fd_info(file.fd, &info) == NGX_FILE_ERROR) {
        result = cannot_be_read(cf, upstream, ngx_errno, "cannot be read");
    } else if (!ngx_is_file(&info) || ngx_file_size(&info) > NGX_LOADWISE_FILE_MAX) {
        result = cannot_be_read(cf, upstream, 0, "is not a file of at most 1 MiB");
    } else {
        upstream->text.len = (size_t)ngx_file_size(&info);
        upstream->text.data = ngx_pnalloc(cf->pool, upstream->text.len + 1);
        if (upstream->text.data == NULL)
            result = NGX_CONF_ERROR;
        else if (ngx_read_file(&file, upstream->text.data, upstream->text.len, 0) != (ssize_t)upstream->text.len)
            result = cannot_be_read(cf, upstream, 0, "cannot be read");
    }
    (void)ngx_close_file(file.fd);
    if (result == NGX_CONF_OK &&
        lw_config_check((const char *)upstream->text.data, upstream->text.len, NULL, 0, &len) != LW_OK) {
        ngx_loadwise_last_error(message);
        result = cannot_be_read(cf, upstream, 0, message);
    }
    return result;
}

/* `loadwise_check tcp|http [uri=/] [host=NAME] [interval=TIME] [timeout=TIME] [fails=N] [passes=N]` */
char *ngx_loadwise_set_check(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_loadwise_upstream_t *upstream = conf;
    ngx_loadwise_check_conf_t *check = &upstream->check;
    ngx_str_t *args = cf->args->elts, value;
    const struct {
        const char *key;
        ngx_int_t *value;
        ngx_int_t is_time;
    } numbers[] = {{"interval=", &check->interval_ms, 1},
                   {"timeout=", &check->timeout_ms, 1},
                   {"fails=", &check->fails, 0},
                   {"passes=", &check->passes, 0}};
    (void)cmd;
    if (!upstream->set)
        return NGX_LOADWISE_FIRST;
    if (check->kind != NGX_LOADWISE_CHECK_NONE)
        return "is duplicate";
    if (ngx_strcmp(args[1].data, "tcp") == 0)
        check->kind = NGX_LOADWISE_CHECK_TCP;
    else if (ngx_strcmp(args[1].data, "http") == 0)
        check->kind = NGX_LOADWISE_CHECK_HTTP;
    else
        return invalid(cf, &args[1]);
    ngx_str_set(&check->uri, "/");
    for (ngx_uint_t i = 2, n; i < cf->args->nelts; i++) {
        for (n = 0; n < 4 && !has_key(&args[i], numbers[n].key, &value); n++)
            ;
        if (n < 4) {
            *numbers[n].value = numbers[n].is_time ? ngx_parse_time(&value, 0) : ngx_atoi(value.data, value.len);
            if (*numbers[n].value == NGX_ERROR)
                return invalid(cf, &args[i]);
        } else if (check->kind == NGX_LOADWISE_CHECK_HTTP && has_key(&args[i], "uri=/", &value)) {
            check->uri.data = value.data - 1;
            check->uri.len = value.len + 1;
        } else if (check->kind == NGX_LOADWISE_CHECK_HTTP && has_key(&args[i], "host=", &value)) {
            check->host = value;
        } else {
            return invalid(cf, &args[i]);
        }
    }
    /* They go into a request as they are. */
    for (size_t i = 0; i < check->uri.len; i++)
        if (check->uri.data[i] <= ' ' || check->uri.data[i] == 0x7f)
            return "has a control character or a space in its \"uri\"";
    for (size_t i = 0; i < check->host.len; i++)
        if (check->host.data[i] <= ' ' || check->host.data[i] == 0x7f)
            return "has a control character or a space in its \"host\"";
    return NGX_CONF_OK;
}

ngx_int_t ngx_loadwise_init_upstream(ngx_loadwise_upstream_t *upstream, ngx_pool_t *pool)
{
    upstream->max_fails = NGX_CONF_UNSET;
    upstream->fail_timeout_ms = NGX_CONF_UNSET;
    upstream->check.interval_ms = NGX_CONF_UNSET;
    upstream->check.timeout_ms = NGX_CONF_UNSET;
    upstream->check.fails = NGX_CONF_UNSET;
    upstream->check.passes = NGX_CONF_UNSET;
    return ngx_array_init(&upstream->peers, pool, 4, sizeof(ngx_loadwise_peer_t));
}
