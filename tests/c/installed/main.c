/* The first program of docs/c.md, as its reader builds it. */
#include <loadwise.h>
#include <stdio.h>

int main(void)
{
    const char config[] = "{strategy: p2c, nodes: ['10.0.0.1:8080', '10.0.0.2:8080']}";
    lw_pool pool;
    lw_pick pick = LW_PICK_INIT;
    lw_outcome outcome = LW_OUTCOME_INIT;
    char address[256];
    if (lw_pool_new(config, sizeof config - 1, &pool) != LW_OK || lw_pool_pick(pool, NULL, &pick) != LW_OK)
        return 1;
    lw_node_address(pool, pick.node, pick.generation, address, sizeof address, NULL);
    printf("connect to %s\n", address);
    outcome.kind = LW_OUTCOME_SUCCESS;
    return lw_pick_finish(&pick, &outcome) != LW_OK || lw_pool_free(pool) != LW_OK;
}
