// The first C++ program of docs/c.md, as its reader builds it.
#include <iostream>
#include <loadwise.hpp>

int main()
{
    loadwise::Pool pool("{strategy: p2c, nodes: ['10.0.0.1:8080', '10.0.0.2:8080']}");
    auto picked = pool.pick();
    if (auto *pick = std::get_if<loadwise::Pick>(&picked)) {
        std::cout << "connect to " << pick->address() << "\n";
        return pick->success() ? 0 : 1;
    }
    std::cerr << std::get<loadwise::NoNode>(picked).reason() << "\n";
    return 1;
}
