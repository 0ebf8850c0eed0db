/* loadwise.hpp: owners, exceptions, callables. */
#include <loadwise.hpp>

#include <cstdio>
#include <cstring>
#include <map>
#include <thread>

#include <unistd.h>

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
    CHECK(pick.first_token() && !pick.first_token() && in_flight(pool) == 1);
    CHECK(pick.success(std::chrono::milliseconds(12)));
    CHECK(!pick.first_token());
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
    CHECK(pool.first_token(ticket) && !pool.first_token(ticket));
    CHECK(pool.release(ticket, Outcome::success()) && !pool.release(ticket, Outcome::success()));
    CHECK(!pool.first_token(ticket));
    CHECK(thrown([&] { pool.first_token(0); }) == LW_ERR_INVALID_TICKET);
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
    CHECK(must(pool.pick(Request().exclude(*pool.node("a")).exclude(*pool.node("b")))).id() == "c");
    CHECK(!pool.node("z"));
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

static bool has(const std::string &text, const char *words)
{
    return text.find(words) != std::string::npos;
}

static void sessions_zones_and_quotas()
{
    Pool pool("{affinity: true, quotas: [{dimension: tokens, limit: 100}], nodes: []}");
    NodeSpec spec;
    spec.id = "a";
    spec.tier = 1;
    spec.zone = "here";
    spec.max_in_flight = 5;
    spec.quotas = {{"tokens", 1000}};
    spec.labels = {{"region", "eu"}};
    pool.register_node(spec);
    NodeStatus a = pool.nodes()[0];
    CHECK(a.tier == 1 && a.max_in_flight == 5 && a.available && !a.ejected && a.breaker == LW_BREAKER_CLOSED);
    CHECK(a.warming == 1.0 && !a.success_rate && a.hold_until_ns == 0);
    CHECK(pool.find({{"region", "eu"}}).size() == 1 && pool.find({{"region", "us"}}).empty());

    Pick pick = must(pool.pick(Request().cost("tokens", 900).session("user-17").zone("here")));
    CHECK(std::get<NoNode>(pool.pick(Request().cost("tokens", 900))).status == LW_NO_NODE_RATE_LIMITED);
    CHECK(pick.finish(Outcome::success().usage("tokens", 10)));
    CHECK(must(pool.pick(Request().cost("tokens", 900))).cancel());
    CHECK(pool.affinity("user-17")->node == pool.node("a")->node && !pool.affinity("user-18"));
    pool.set_affinity("user-18", "a");
    CHECK(pool.clear_affinity("user-18") && !pool.clear_affinity("user-18") && pool.rebalance() == 0);
    pool.failover("a");
    CHECK(pool.reset_failover() && !pool.reset_failover());
    CHECK(thrown([&] { pool.failover("z"); }) == LW_ERR_UNKNOWN_NODE);
    Load load;
    load.requests_per_s = 100;
    load.utilization = 0.5;
    pool.report_load("a", load);
    load.utilization = -1;
    CHECK(thrown([&] { pool.report_load("a", load); }) == LW_ERR_CONFIG);
}

static void waiting_ends_with_its_scope()
{
    Pool pool("{max_in_flight: 1, acquire_timeout_ms: 10, nodes: [a]}");
    auto alive = std::make_shared<int>(0);
    Pick pick = must(pool.pick());
    CHECK(std::get<NoNode>(pool.pick_within(Request())).status == LW_NO_NODE_SATURATED);
    CHECK(std::get<NoNode>(pool.pick_within(Request(), std::chrono::milliseconds(1))).status == LW_NO_NODE_SATURATED);
    {
        auto waiting = pool.wait([alive] { ++*alive; });
        CHECK(std::holds_alternative<Waiting>(waiting) && pool.waiting() == 1 && alive.use_count() == 2);
    }
    CHECK(pool.waiting() == 0 && *alive == 0 && alive.use_count() == 1);
    auto waiting = std::get<Waiting>(pool.wait([alive] {
        ++*alive;
        throw 7;
    }));
    CHECK(pick.success() && *alive == 1 && !waiting.stop() && alive.use_count() == 1);
    CHECK(must(pool.pick_within(Request())).success());
}

static void observation_ends_with_its_scope()
{
    Pool pool("{health: {failure_threshold: 1}, nodes: [a, b]}");
    auto seen = std::make_shared<std::vector<std::string>>();
    {
        Observation observation = pool.observe(
            [seen](const Event &event) {
                if (event.kind == LW_EVENT_SELECTION)
                    seen->push_back("picked by " + std::string(event.strategy));
                if (event.kind == LW_EVENT_HEALTH && event.node)
                    seen->push_back(event.to == LW_HEALTH_UNHEALTHY ? "down" : "up");
                for (std::string_view id : event.added)
                    seen->push_back("+" + std::string(id));
                throw std::runtime_error("lost");
            },
            true);
        must(pool.pick()).success();
        pool.report("a", Outcome::failure());
        pool.register_node({"c"});
        CHECK((*seen == std::vector<std::string>{"picked by p2c", "down", "+c"}));
        Observation moved = std::move(observation);
        CHECK(moved.stop() && !moved.stop() && !observation.stop() && seen.use_count() == 1);
    }
    pool.observe([seen](const Event &) {}).detach();
    CHECK(seen.use_count() == 2);
    pool = Pool("{}");
    CHECK(seen.use_count() == 1);
}

static void advice_and_checks()
{
    Pool pool("{checks: {interval_ms: 1000, grace_ms: 0, failure_threshold: 1}, nodes: [a, {id: b, address: 'b:1'}]}");
    std::vector<Check> checks = pool.checks_due();
    CHECK(checks.size() == 2 && checks[1].id == "b" && checks[1].address == "b:1" && pool.checks_due().empty());
    CHECK(pool.report_check("a", false) && !pool.report_check("b", true, std::chrono::milliseconds(3)));
    CHECK(pool.nodes()[0].health == LW_HEALTH_UNHEALTHY);
    Retry retry = pool.retry(Outcome::failure(LW_FAILURE_CONNECT), 1, LW_RETRY_IDEMPOTENT);
    CHECK(retry && retry.after <= std::chrono::milliseconds(25));
    CHECK(pool.retry(Outcome::success(), 1, 0).give_up == LW_GIVE_UP_NOT_FAILED);
    Plan plan = std::get<Plan>(pool.plan(Request()));
    CHECK(plan.attempts.size() == 1 && plan.attempts[0].node.node == pool.node("b")->node && !plan.hedge_after);
    CHECK(std::get<NoNode>(pool.plan(Request().exclude("a").exclude("b"))).status == LW_NO_NODE_ALL_EXCLUDED);
}

static void what_pools_tell_of_themselves()
{
    Pool pool(THREE);
    CHECK(has(pool.explain(Request().exclude("a")), "excluded"));
    auto explained = pool.pick_explained();
    CHECK(has(explained.second, "candidates") && must(std::move(explained.first)).cancel());
    explained = pool.pick_explained(Request().require("region", "nowhere"));
    CHECK(std::get<NoNode>(explained.first).status == LW_NO_NODE_NO_MATCH && has(explained.second, "no_match"));
    must(pool.pick()).success();
    CHECK(has(pool.stats(), "\"successes\": 1") && pool.name() == "default");
    CHECK(has(pool.metrics(), "# TYPE loadwise_") && has(pool.metrics(LW_METRICS_OPENMETRICS), "# EOF"));
    CHECK(has(pool.config(), "\"name\": \"Bee\"") && pool.config_version() == 1);
    pool.reload("{strategy: maglev, nodes: [a]}");
    CHECK(pool.strategy() == "maglev" && pool.config_version() == 2 && pool.size() == 1);
    CHECK(thrown([&] { pool.reload("{strategy: best}"); }) == LW_ERR_CONFIG);
}

static void settings_and_members_by_hand()
{
    std::string whole = config_check("{retry: {max_attempts: 7}, nodes: [a, b]}");
    CHECK(has(whole, "\"max_attempts\": 7") && config_check(whole) == whole);
    CHECK(thrown([] { config_check("{strategy: best}"); }) == LW_ERR_CONFIG);
    Pool pool(whole);
    CHECK(pool.setting("retry.max_attempts") == "7" && pool.setting("strategy[0].name") == "p2c");
    CHECK(thrown([&] { pool.setting("retry.attempts"); }) == LW_ERR_CONFIG);
    CHECK(!pool.reload_if_new(pool.config()) && pool.reload_if_new("{nodes: [a, b, c]}"));
    NodeSpec spec;
    spec.id = "a";
    spec.weight = 5;
    spec.labels = {{"region", "eu"}};
    pool.update(spec);
    CHECK(pool.node_status("a")->weight == 5 && !pool.node_status("z") && pool.find({{"region", "eu"}}).size() == 1);
    CHECK(pool.set_health("a", LW_HEALTH_UNHEALTHY) && !pool.set_health("a", LW_HEALTH_UNHEALTHY));
    CHECK(pool.node_status("a")->health == LW_HEALTH_UNHEALTHY);
    CHECK(thrown([&] { pool.set_health("a", 3); }) == LW_ERR_INVALID_ARGUMENT);
    spec.id = "z";
    CHECK(thrown([&] { pool.update(spec); }) == LW_ERR_UNKNOWN_NODE);
}

static void attempts_are_picked_again()
{
    Pool pool("{nodes: [a, b]}");
    Outcome refused = Outcome::failure(LW_FAILURE_CONNECT);
    auto again = pool.pick_again(Request().exclude("a"), refused, 1, 0);
    CHECK(std::get<Again>(again).pick.id() == "b" && std::get<Again>(again).after <= std::chrono::milliseconds(25));
    CHECK(in_flight(pool) == 1);
    again = pool.pick_again(Request(), refused, 99, 0);
    CHECK(std::get<Retry>(again).give_up == LW_GIVE_UP_ATTEMPTS && in_flight(pool) == 0);
    again = pool.pick_again(Request().exclude("a").exclude("b"), refused, 1, 0);
    CHECK(!std::strcmp(std::get<NoNode>(again).name(), "all_excluded"));
}

static void engines_share_a_state()
{
    std::string path = std::string(access("/dev/shm", W_OK) == 0 ? "/dev/shm" : "/tmp") + "/loadwise-raii-" +
                       std::to_string(getpid());
    std::string config = "{shared: '" + path + "', nodes: [a, b]}";
    {
        Engine one = Engine::from_config(config), other = Engine::attach(path), looking = Engine::view(path);
        Pool pool = one.pool("default"), seen = looking.pool("default");
        Pick pick = must(pool.pick());
        CHECK(in_flight(other.pool("default")) == 1 && in_flight(seen) == 1);
        CHECK(one.shared_path() == path && seen.shared_path() == path && one.private_because().empty());
        CHECK(one.differences() == "[]" && pool.differences() == "[]");
        CHECK(has(seen.open_picks(9), "\"ticket\": ") && pool.open_picks(0) == "[]");
        std::vector<ProcessStatus> processes = looking.processes();
        CHECK(processes.size() == 1 && processes[0].pid == static_cast<std::uint32_t>(getpid()));
        CHECK(processes[0].alive && !processes[0].is_own && processes[0].in_flight == 1 && !processes[0].command.empty());
        CHECK(pool.processes()[0].is_own && pool.processes()[0].in_namespace);
        CHECK(thrown([&] { seen.set_weight("a", 2); }) == LW_ERR_READ_ONLY);
        CHECK(std::holds_alternative<NoNode>(seen.pick()));
        CHECK(one.reload_from_if_new(config).changed == 0 && pick.success());
        CHECK(thrown([&] { one.reload_if_new(); }) == LW_ERR_CONFIG);
        CHECK(thrown([&] { looking.remove("default"); }) == LW_ERR_READ_ONLY);
        CHECK(one.remove("default") && !one.remove("default") && other.names().empty());
    }
    CHECK(unlink(path.c_str()) == 0);
    CHECK(thrown([&] { Engine::attach(path); }) == LW_ERR_SHARED && thrown([&] { Engine::view(path); }) == LW_ERR_SHARED);
}

struct Map : Store {
    std::map<std::string, std::string> kept;
    bool fails = false;

    std::optional<std::string> get(std::string_view id) override
    {
        auto found = kept.find(std::string(id));
        return found == kept.end() ? std::nullopt : std::optional<std::string>(found->second);
    }
    void put(std::string_view id, std::string_view state) override
    {
        if (fails)
            throw std::runtime_error("full");
        kept[std::string(id)] = state;
    }
    void remove(std::string_view id) override { kept.erase(std::string(id)); }
    std::vector<std::pair<std::string, std::string>> list() override { return {kept.begin(), kept.end()}; }
};

static void stores_may_throw()
{
    Pool pool(THREE), next(THREE);
    Map map;
    for (int i = 0; i < 3; i++)
        pool.report("b", Outcome::failure());
    CHECK(pool.save(map) == 3 && map.kept.size() == 3);
    CHECK(next.restore(map) == 3 && next.nodes()[1].health == LW_HEALTH_UNHEALTHY);
    map.fails = true;
    CHECK(thrown([&] { pool.save(map); }) == LW_ERR_STORE);
    CHECK(Pool(THREE).learn_from(pool.learned()) == 3);
    CHECK(thrown([&] { pool.save("/nowhere/at/all"); }) == LW_ERR_STORE && next.restore("/nowhere/at/all") == 0);
}

static void engines_own_their_pools()
{
    std::optional<Engine> engine(Engine::from_config("{pools: {shop: {nodes: [a]}, search: {nodes: [b]}}}"));
    Pool shop = engine->pool("shop"), again = engine->pool("shop");
    CHECK((engine->names() == std::vector<std::string>{"shop", "search"}) && engine->version() == 1);
    Pick pick = must(shop.pick());
    CHECK(again.nodes()[0].in_flight == 1 && pick.success());
    CHECK(thrown([&] { engine->pool("mail"); }) == LW_ERR_CONFIG);
    lw_reloaded done = engine->reload_from("{pools: {shop: {nodes: [a, c]}, mail: {nodes: [m]}}}");
    CHECK(done.added == 1 && done.removed == 1 && done.changed == 1 && shop.size() == 2);
    CHECK(thrown([&] { engine->reload(); }) == LW_ERR_CONFIG);
    CHECK(thrown([] { Engine::open("/nowhere/at/all"); }) == LW_ERR_CONFIG);
    CHECK(has(engine->config(), "\"mail\": {") && has(engine->stats(), "\"name\": \"mail\""));
    CHECK(has(engine->metrics(), "pool=\"mail\"") && engine->maintain().next_due_ns > 0);
    engine.reset();
    CHECK(must(shop.pick()).success());
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
    RUN(sessions_zones_and_quotas);
    RUN(waiting_ends_with_its_scope);
    RUN(observation_ends_with_its_scope);
    RUN(advice_and_checks);
    RUN(what_pools_tell_of_themselves);
    RUN(settings_and_members_by_hand);
    RUN(attempts_are_picked_again);
    RUN(engines_share_a_state);
    RUN(stores_may_throw);
    RUN(engines_own_their_pools);
    return tests_failed != 0;
}
