//! How late a timer of the runtime is, for comparison.

use std::time::Duration;

use tokio::time::Instant;

use crate::events::Latency;

/// How much later than it should something was released.
pub type StartErrors = Latency;

/// Releases of a tokio timer at a steady rate, for so long: how late each of them was.
pub fn tokio_pacer(per_s: f64, lasts: Duration) -> std::io::Result<StartErrors> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build()?;
    Ok(runtime.block_on(async {
        let mut late = Latency::default();
        let begun = Instant::now() + Duration::from_millis(5);
        let many = (per_s * lasts.as_secs_f64()) as u32;
        for number in 0..many {
            let due = begun + Duration::from_secs_f64(f64::from(number) / per_s);
            tokio::time::sleep_until(due).await;
            late.record(Instant::now().saturating_duration_since(due));
        }
        late
    }))
}
