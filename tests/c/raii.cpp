/* loadwise.hpp: owners, exceptions, callables. */
#include <loadwise.hpp>

#include <cstdio>
#include <cstring>
#include <thread>

using namespace loadwise;

static int failures, tests_failed;

#define CHECK(condition)                                                \
    do {                                                                \
        if (!(condition)) {                                             \
            std::printf("# %s:%d: %s\n", __FILE__, __LINE__, #condition); \
            failures++;                                                 \
        }                                                               \
    } while (0)

template <class Call> static lw_status thrown(Call call)
{
    try {
        call();
        return LW_OK;
    } catch (const Error &error) {
        CHECK(std::strlen(error.what()) > 0);
        return error.status();
    }
}

static const char THREE[] = "strategy: p2c\n"
                            "nodes:\n"
                            "  - {id: a, address: 'a:1', labels: {region: eu}, user_data: 1}\n"
                            "  - {id: b, address: 'b:1', name: Bee, labels: {region: us}, user_data: 2}\n"
                            "  - {id: c, address: 'c:1', labels: {region: eu}, user_data: 3}\n";

static std::uint64_t in_flight(const Pool &pool)
{
    std::uint64_t sum = 0;
    for (const NodeStatus &node : pool.nodes())
        sum += node.in_flight;
    return sum;
}

static Pick must(Picked picked)
{
    CHECK(std::holds_alternative<Pick>(picked));
    return std::get<Pick>(std::move(picked));
}

static void a_pick_ends_with_its_scope()
{
    Pool pool(THREE);
    {
        Pick pick = must(pool.pick());
        CHECK(in_flight(pool) == 1 && pick.ticket() != 0 && !pick.callback_failed());
        CHECK(pick.address() == pick.id() + ":1" && pick.user_data() == pick.id()[0] - 'a' + 1u);
    }
    CHECK(in_flight(pool) == 0);
    Pick pick = must(pool.pick());
    CHECK(pick.success(std::chrono::milliseconds(12)));
    CHECK(!pick.success() && !pick.failure() && !pick.cancel() && in_flight(pool) == 0);
}

static void a_moved_pick_ends_once()
{
    Pool pool(THREE);
    Pick first = must(pool.pick());
    Pick second = std::move(first);
    CHECK(!first.success() && in_flight(pool) == 1);
    second = must(pool.pick());
    CHECK(in_flight(pool) == 1);
    std::uint64_t ticket = std::move(second).into_ticket();
    CHECK(in_flight(pool) == 1);
    CHECK(pool.release(ticket, Outcome::success()) && !pool.release(ticket, Outcome::success()));
    CHECK(thrown([&] { pool.release(0, Outcome::success()); }) == LW_ERR_INVALID_TICKET);
}

static void a_pick_outlives_its_pool()
{
    std::optional<Pool> pool(THREE);
    Pick pick = must(pool->pick());
    pool.reset();
    CHECK(!pick.success());
    CHECK(thrown([&] { pick.address(); }) == LW_ERR_CLOSED);
}

static void pools_move()
{
    Pool pool(THREE), other("{}");
    lw_pool freed = other.handle();
    other = std::move(pool);
    CHECK(other.size() == 3 && pool.handle() == 0);
    CHECK(lw_pool_free(freed) == LW_ERR_CLOSED);
    CHECK(thrown([&] { pool.size(); }) == LW_ERR_INVALID_HANDLE);
}

static void no_node_is_a_value()
{
    Pool pool("{}");
    Picked picked = pool.pick();
    CHECK(std::get<NoNode>(picked).status == LW_NO_NODE_EMPTY && std::strstr(std::get<NoNode>(picked).reason(), "none"));
    CHECK(std::get<NoNode>(pool.choose()).status == LW_NO_NODE_EMPTY);
}

static void errors_are_thrown()
{
    Pool pool(THREE);
    CHECK(thrown([] { Pool("strategy: best"); }) == LW_ERR_CONFIG);
    CHECK(thrown([&] { pool.set_strategy("best"); }) == LW_ERR_CONFIG);
    CHECK(thrown([&] { pool.deregister("z"); }) == LW_ERR_UNKNOWN_NODE);
    CHECK(thrown([&] { pool.register_node({"a"}); }) == LW_ERR_DUPLICATE_NODE);
    CHECK(thrown([&] { pool.report_load("a", {}, 1.5); }) == LW_ERR_CONFIG);
    try {
        Pool("nodes:\n  - {id: a, wieght: 1}");
        CHECK(!"thrown");
    } catch (const Error &error) {
        CHECK(std::strstr(error.what(), "line 2") && !std::strcmp(error.name(), "LW_ERR_CONFIG"));
    }
}

static void requests_narrow_the_choice()
{
    Pool pool(THREE);
    CHECK(must(pool.pick(Request().exclude("a").exclude("c"))).id() == "b");
    CHECK(must(pool.pick(Request().require("region", "us"))).name() == "Bee");
    CHECK(must(pool.pick(Request().exclude(*pool.find("a")).exclude(*pool.find("b")))).id() == "c");
    CHECK(!pool.find("z"));
    CHECK(std::get<NoNode>(pool.pick(Request().health_mask(LW_HEALTH_UNHEALTHY))).status == LW_NO_NODE_UNHEALTHY);
    pool.set_strategy("maglev");
    std::string first = must(pool.pick(Request().key("user-17"))).id();
    for (int i = 0; i < 20; i++)
        CHECK(must(pool.pick(Request().key("user-17"))).id() == first);
    std::string empty = must(pool.pick(Request().key(std::string_view()))).id();
    for (int i = 0; i < 20; i++)
        CHECK(must(pool.pick(Request().key(""))).id() == empty);
}

static void nodes_come_and_go()
{
    Pool pool("{}");
    pool.set_nodes({{"a"}, {"b", "b:1", "Bee", 5, {{"region", "eu"}, {"zone", "1"}}, 7}});
    pool.register_node({"c"});
    pool.drain("a");
    pool.set_weight("c", 0);
    std::vector<NodeStatus> nodes = pool.nodes();
    CHECK(nodes.size() == 3 && nodes[0].id == "a" && nodes[0].address == "a" && nodes[0].draining);
    CHECK(nodes[1].name == "Bee" && nodes[1].weight == 5 && nodes[1].user_data == 7 && !nodes[1].load);
    CHECK(must(pool.pick(Request().require("region", "eu").require("zone", "1"))).id() == "b");
    pool.report_load("b", 2.0, 0.5);
    CHECK(pool.nodes()[1].load == 2.0 && pool.nodes()[1].remaining_ratio);
    for (int i = 0; i < 3; i++)
        pool.report("b", Outcome::failure(LW_FAILURE_CONNECT));
    CHECK(pool.nodes()[1].health == LW_HEALTH_UNHEALTHY);
    pool.maintain();
    pool.deregister("c");
    CHECK(pool.size() == 2);
}

static void predicates_may_throw()
{
    Pool pool(THREE);
    Picked picked = pool.pick(Request().predicate([](const Candidate &c) {
        CHECK(c.address() == c.id() + ":1" && c.weight() == 1 && c.in_flight() == 0 && c.health() == LW_HEALTH_HEALTHY);
        return c.has_label("region", "us") && c.user_data() == 2;
    }));
    CHECK(must(std::move(picked)).id() == "b");
    picked = pool.pick(Request().predicate([](const Candidate &) -> bool { throw std::runtime_error("no"); }));
    NoNode why = std::get<NoNode>(picked);
    CHECK(why.status == LW_NO_NODE_NO_MATCH && why.callback_failed);
    picked = pool.pick(Request().predicate([](const Candidate &) -> bool { throw 7; }));
    CHECK(std::get<NoNode>(picked).callback_failed);
}

static void own_strategies_may_throw()
{
    Pool pool(THREE);
    auto alive = std::make_shared<int>(0);
    pool.set_own_strategy(
        [alive](const std::vector<Candidate> &candidates, std::optional<std::string_view> key) -> std::optional<std::size_t> {
            if (!key)
                return std::nullopt;
            if (*key == "throw")
                throw std::runtime_error("no");
            return *key == "wrong" ? candidates.size() : candidates.size() - 1;
        },
        "round_robin");
    CHECK(alive.use_count() == 2 && pool.strategy() == "custom");
    CHECK(must(pool.pick(Request().key("last"))).id() == "c");
    CHECK(must(pool.pick(Request().key("last").exclude("c"))).id() == "b");
    CHECK(!must(pool.pick()).callback_failed());
    CHECK(must(pool.pick(Request().key("throw"))).callback_failed());
    CHECK(must(pool.pick(Request().key("wrong"))).callback_failed());
    CHECK(thrown([&] { pool.set_own_strategy([alive](auto &, auto) { return 0; }, "best"); }) == LW_ERR_CONFIG);
    CHECK(alive.use_count() == 2);
    pool = Pool("{}");
    CHECK(alive.use_count() == 1);
}

static void picks_end_in_other_threads()
{
    Pool pool(THREE);
    Pick pick = must(pool.pick());
    bool ended = false;
    std::thread([&ended, pick = std::move(pick)]() mutable { ended = pick.success(); }).join();
    CHECK(ended && in_flight(pool) == 0);
}

static void selection_and_health_without_a_pool()
{
    Selector selector("least_load");
    std::vector<lw_item> items = {{{"a", 1}, 1, 0, 3.0, 1.0}, {{"b", 1}, 1, 0, 1.0, 1.0}};
    CHECK(std::get<std::size_t>(selector.select(items)) == 1);
    CHECK(std::get<std::size_t>(selector.select(items, "key", {1})) == 0);
    CHECK(std::get<NoNode>(selector.select({})).status == LW_NO_NODE_EMPTY);
    CHECK(thrown([] { Selector("best"); }) == LW_ERR_CONFIG);
    HealthTracker tracker(1, 1);
    tracker.report_failure("a");
    tracker.report_rate_limited("a");
    CHECK(tracker.status("a") == LW_HEALTH_UNHEALTHY && !tracker.should_probe("a"));
    CHECK(tracker.health("a").consecutive_failures == 1 && tracker.forget("a") && !tracker.forget("a"));
    tracker.report_success("a");
    CHECK(tracker.status("a") == LW_HEALTH_HEALTHY);
}

#define RUN(test)                                               \
    do {                                                        \
        failures = 0;                                           \
        test();                                                 \
        std::printf("%s cpp/%s\n", failures ? "FAIL" : "ok", #test); \
        tests_failed += failures != 0;                          \
    } while (0)

int main()
{
    RUN(a_pick_ends_with_its_scope);
    RUN(a_moved_pick_ends_once);
    RUN(a_pick_outlives_its_pool);
    RUN(pools_move);
    RUN(no_node_is_a_value);
    RUN(errors_are_thrown);
    RUN(requests_narrow_the_choice);
    RUN(nodes_come_and_go);
    RUN(predicates_may_throw);
    RUN(own_strategies_may_throw);
    RUN(picks_end_in_other_threads);
    RUN(selection_and_health_without_a_pool);
    return tests_failed != 0;
}
