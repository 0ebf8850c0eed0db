use loadwise::*;
use std::time::Instant;
fn main() -> Result<(), Box<dyn std::error::Error>> {
    for s in [
        "round_robin",
        "weighted_round_robin",
        "random",
        "weighted_random",
        "p2c",
        "least_request",
        "peak_ewma",
        "ring_hash",
        "maglev",
        "rendezvous",
        "most_available",
        "least_load",
    ] {
        for n in [3usize, 1000] {
            let pool =
                Pool::builder()
                    .strategy(s)?
                    .nodes((0..n).map(|i| {
                        NodeSpec::new(format!("10.0.{}.{}:8080", i / 256, i % 256)).weight(1 + (i as u32 % 3))
                    }))
                    .build()?;
            let key = b"user-1234567890123456789";
            let req = Request::new().key(key);
            let it = if n > 100 && (s == "rendezvous" || s.starts_with("least_load") || s == "most_available") {
                20_000
            } else {
                3_000_000
            };
            let mut best = (f64::MAX, f64::MAX);
            for _ in 0..3 {
                let t = Instant::now();
                for _ in 0..it {
                    std::hint::black_box(pool.choose(&req)?);
                }
                let c = t.elapsed().as_nanos() as f64 / it as f64;
                let t = Instant::now();
                for _ in 0..it {
                    let l = pool.acquire(&req)?;
                    pool.release(l.ticket, Outcome::Success)?;
                }
                let p = t.elapsed().as_nanos() as f64 / it as f64;
                best = (best.0.min(c), best.1.min(p));
            }
            println!("{s:22} n={n:5} choose {:7.1} ns   pick+finish {:7.1} ns", best.0, best.1);
        }
    }
    let a = std::sync::atomic::AtomicU64::new(0);
    let t = Instant::now();
    for _ in 0..10_000_000 {
        std::hint::black_box(&a).fetch_add(1, std::sync::atomic::Ordering::Relaxed);
    }
    println!("F = {:.2} ns", t.elapsed().as_nanos() as f64 / 1e7);
    Ok(())
}
