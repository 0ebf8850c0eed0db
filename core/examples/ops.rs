//! A number of decisions or picks and nothing else, to count instructions with: the difference of two runs under
//! `valgrind --tool=callgrind target/release/examples/ops STRATEGY NODES choose|pick COUNT`.

use loadwise::*;
fn main() -> Result<(), Box<dyn std::error::Error>> {
    let a: Vec<String> = std::env::args().collect();
    let (s, n, mode, it): (&str, usize, &str, usize) = (&a[1], a[2].parse()?, &a[3], a[4].parse()?);
    let pool = Pool::builder()
        .strategy(s)?
        .nodes((0..n).map(|i| NodeSpec::new(format!("10.0.{}.{}:8080", i / 256, i % 256))))
        .build()?;
    let req = Request::new().key(b"user-1234567890123456789");
    for _ in 0..it {
        if mode == "choose" {
            std::hint::black_box(pool.choose(&req)?);
        } else {
            let l = pool.acquire(&req)?;
            pool.release(l.ticket, Outcome::Success)?;
        }
    }
    Ok(())
}
