//! The load engine beside a raw epoll loop, over loopback: what `kmsproof bench` prints.
//!
//! `cargo bench --bench loopback -- [G1 G2 ...] [--rounds N] [--lasts 1s]`. Linux only.

#[cfg(target_os = "linux")]
#[derive(Debug, clap::Parser)]
struct Args {
    /// Only these goals
    goals: Vec<String>,
    /// Rounds that count
    #[arg(long, default_value_t = 5, value_parser = clap::value_parser!(u64).range(1..=1000))]
    rounds: u64,
    /// How long each contestant runs in each round
    #[arg(long, default_value = "1s")]
    lasts: jiff::SignedDuration,
    /// Cargo says so
    #[arg(long, hide = true)]
    bench: bool,
}

#[cfg(target_os = "linux")]
fn main() -> Result<(), Box<dyn std::error::Error>> {
    use clap::Parser as _;
    use kmsproof::yardstick::goals;
    let args = Args::parse();
    goals::run(&goals::named(&args.goals)?, args.rounds as usize, args.lasts.try_into()?, &mut std::io::stdout())?;
    Ok(())
}

#[cfg(not(target_os = "linux"))]
fn main() {
    eprintln!("the raw loop that everything is held against needs Linux (epoll)");
}
