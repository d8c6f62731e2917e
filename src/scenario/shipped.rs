//! The scenarios that come with the program.

/// Name, file and text of every shipped scenario, in the order they are run.
pub fn shipped() -> &'static [(&'static str, &'static str, &'static str)] {
    SHIPPED
}

const SHIPPED: &[(&str, &str, &str)] = &[
    ("smoke", "scenarios/smoke.toml", include_str!("../../scenarios/smoke.toml")),
    ("count-threshold", "scenarios/count-threshold.toml", include_str!("../../scenarios/count-threshold.toml")),
];
