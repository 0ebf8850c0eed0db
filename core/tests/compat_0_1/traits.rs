use loadwise::node::{LoadMetric, Node, RateMetric, Weighted};

struct Shard(u16);

impl Node for Shard {
    type Id = u16;
    fn id(&self) -> &u16 {
        &self.0
    }
}
impl Weighted for Shard {
    fn weight(&self) -> u32 {
        u32::from(self.0)
    }
}
impl LoadMetric for Shard {
    fn load_score(&self) -> f64 {
        f64::from(self.0)
    }
}
impl RateMetric for Shard {
    fn remaining_ratio(&self) -> f64 {
        1.0 / f64::from(self.0)
    }
}

#[test]
fn traits_are_where_they_were() {
    fn describe<N: Node + Weighted + LoadMetric + RateMetric>(node: &N) -> String {
        format!("{:?} {} {} {}", node.id(), node.weight(), node.load_score(), node.remaining_ratio())
    }
    assert_eq!(describe(&Shard(4)), "4 4 4 0.25");
}
