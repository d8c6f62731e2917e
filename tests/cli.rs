//! Transcripts of the command line, which are documentation too: `tests/cli/*.trycmd`.
//! After a wanted change: `TRYCMD=overwrite cargo test --test cli`, then read the difference.

#[test]
fn transcripts() {
    trycmd::TestCases::new().env("NO_COLOR", "1").env("COLUMNS", "100").case("tests/cli/*.trycmd");
}
