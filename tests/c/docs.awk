# The examples of docs/c.md as one C program that runs them all: each block of C that is no program itself becomes a
# function of a `pool`. What begins at a line's start with `static` or `#` stays outside of it. With -v exporter=1, the
# block that needs jansson and nothing else; else all but that.
BEGIN {
    print "#include <loadwise.h>\n#include <stdio.h>\n#include <stdlib.h>\n#include <string.h>\n#include <unistd.h>\n"
}
/^```c$/ { inside = 1; outer = body = ""; is_program = is_exporter = 0; next }
/^```/ {
    if (inside && !is_program && is_exporter == exporter) {
        print outer
        if (body ~ /[^ \n]/)
            printf "static void example_%d(lw_pool pool)\n{\n(void)pool;\n%s}\n\n", ++count, body
    }
    inside = 0
    next
}
!inside { next }
/int main/ { is_program = 1 }
/jansson/ { is_exporter = 1 }
in_outer || /^(static|#)/ {
    outer = outer $0 "\n"
    in_outer = in_outer ? !/^}/ : !/(;|^#.*)$/
    next
}
{ body = body $0 "\n" }
END {
    print "int main(void)\n{"
    print "    static const char config[] = \"{affinity: true, checks: {grace_ms: 0}, quotas: [{dimension: tokens, limit: 100000}],\""
    print "        \" nodes: [{id: '10.0.0.1:8080', labels: {region: eu}}, {id: '10.0.0.2:8080', labels: {region: eu}}]}\";"
    print "    lw_pool pool;"
    for (i = exporter ? 0 : 1; i <= count; i++) {
        print "    if (lw_pool_new(config, sizeof config - 1, &pool) != LW_OK) return 2;"
        if (exporter)
            print "    export_to_statsd(pool, stdout);"
        else
            printf "    example_%d(pool);\n", i
        print "    if (lw_pool_free(pool) != LW_OK) return 3;"
    }
    print "    return 0;\n}"
}
