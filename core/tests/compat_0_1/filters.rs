use super::*;
use loadwise::filter::{AllOf, FnFilter};

#[test]
fn candidates_are_filtered_before_they_are_selected_from() {
    let status = [HealthStatus::Degraded, HealthStatus::Healthy, HealthStatus::Unhealthy, HealthStatus::Recovering];
    let servers = status.map(|health| Server { health, ..Server::new("s") });
    let pass = |filter: &dyn Filter<Server>| servers.iter().map(|s| filter.is_eligible(s)).collect::<Vec<_>>();
    assert_eq!(pass(&HealthFilter::healthy_only()), [false, true, false, false]);
    assert_eq!(pass(&HealthFilter::available()), [true, true, false, true]);
    let weak = HealthFilter::new(&[HealthStatus::Unhealthy, HealthStatus::Degraded]);
    assert_eq!(pass(&weak), [true, false, true, false]);
}

#[test]
fn quotas_filter_too() {
    let [none, little, all] = Server::remaining([0.0, 0.1, 1.0]);
    let pass = |filter: QuotaFilter| [&none, &little, &all].map(|server| filter.is_eligible(server));
    assert_eq!(pass(QuotaFilter::exhausted_only()), [false, true, true]);
    assert_eq!(pass(QuotaFilter::new(0.1)), [false, false, true]);
}

#[test]
fn filters_combine() {
    let prefix = String::from("eu-");
    let combined = AllOf::new(vec![
        Box::new(HealthFilter::available()),
        Box::new(QuotaFilter::exhausted_only()),
        Box::new(FnFilter(move |server: &Server| server.name.starts_with(&prefix))),
    ]);
    assert!(combined.is_eligible(&Server::new("eu-1")));
    assert!(!combined.is_eligible(&Server::new("us-1")));
    assert!(!combined.is_eligible(&Server { remaining: 0.0, ..Server::new("eu-1") }));
    assert!(!combined.is_eligible(&Server { health: HealthStatus::Unhealthy, ..Server::new("eu-1") }));
    assert!(AllOf::<u8>::new(vec![]).is_eligible(&0));
}

#[test]
fn filters_of_the_users_own() {
    struct Light(u32);
    impl<N: Weighted> Filter<N> for Light {
        fn is_eligible(&self, node: &N) -> bool {
            node.weight() <= self.0
        }
    }
    let [one, nine] = Server::weights([1, 9]);
    let all = AllOf::new(vec![Box::new(Light(5)) as Box<dyn Filter<Server>>]);
    assert!(all.is_eligible(&one) && !all.is_eligible(&nine));
}
