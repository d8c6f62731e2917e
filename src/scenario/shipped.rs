//! The scenarios that come with the program.

/// Name, file name and text of every shipped scenario, by name.
pub fn shipped() -> &'static [(&'static str, &'static str, &'static str)] {
    SHIPPED
}

const SHIPPED: &[(&str, &str, &str)] = &[
    ("count-threshold", "count-threshold.toml", include_str!("../../scenarios/count-threshold.toml")),
    ("smoke", "smoke.toml", include_str!("../../scenarios/smoke.toml")),
];
