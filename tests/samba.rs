//! Samba's DCE/RPC server judges our cases of the RPC half: it was written to match Windows, by nobody
//! of us. Where it differs from what a case requires, `tests/samba/differences.toml` says why.
//!
//! Its endpoint mapper listens on port 135, so this needs root and that port; where Samba is missing or
//! cannot be started, the test says so and is skipped (`./test` installs Samba where it can).

#![cfg(target_os = "linux")]

use std::net::TcpStream;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

const SERVER: &str = "/usr/libexec/samba/samba-dcerpcd";
const ADDRESS: &str = "127.0.0.1:135";

/// A server of our own, and the helpers it starts.
struct Samba {
    child: Child,
}

impl Samba {
    fn start() -> Result<Samba, String> {
        if !Path::new(SERVER).exists() {
            return Err(format!("{SERVER} is not installed"));
        }
        if TcpStream::connect(ADDRESS).is_ok() {
            return Err(format!("somebody else listens on {ADDRESS}"));
        }
        let folder = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("samba");
        let _ = std::fs::remove_dir_all(&folder);
        std::fs::create_dir_all(&folder).unwrap();
        let shown = folder.display();
        let mut config = String::from(
            "[global]\nserver role = standalone server\ninterfaces = 127.0.0.1\nbind interfaces only = yes\n\
             rpc start on demand helpers = no\n",
        );
        for (key, name) in [
            ("private dir", "private"),
            ("lock directory", "lock"),
            ("state directory", "state"),
            ("cache directory", "cache"),
            ("pid directory", "pid"),
            ("ncalrpc dir", "ncalrpc"),
        ] {
            std::fs::create_dir_all(folder.join(name)).unwrap();
            config += &format!("{key} = {shown}/{name}\n");
        }
        config += &format!("log file = {shown}/log\npassdb backend = tdbsam:{shown}/private/passdb.tdb\n");
        std::fs::write(folder.join("smb.conf"), config).unwrap();
        let child = Command::new(SERVER)
            .arg("-s")
            .arg(folder.join("smb.conf"))
            .args(["--libexec-rpcds", "-F", "--no-process-group"])
            .process_group(0)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .map_err(|error| error.to_string())?;
        let samba = Samba { child };
        let begun = Instant::now();
        while begun.elapsed() < Duration::from_secs(20) {
            if TcpStream::connect(ADDRESS).is_ok() {
                return Ok(samba);
            }
            std::thread::sleep(Duration::from_millis(100));
        }
        Err(format!("it does not listen on {ADDRESS}: perhaps this is not root"))
    }
}

impl Drop for Samba {
    fn drop(&mut self) {
        // The helpers it leaves are in its process group.
        let _ = Command::new("kill").arg("-TERM").arg("--").arg(format!("-{}", self.child.id())).status();
        let _ = self.child.wait();
    }
}

#[test]
fn samba_does_as_the_cases_require_or_the_difference_is_explained() {
    let _samba = match Samba::start() {
        Ok(samba) => samba,
        Err(why) => return println!("SKIPPED samba_does_as_the_cases_require: {why}"),
    };
    let differences = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/samba/differences.toml");
    let ran = Command::new(env!("CARGO_BIN_EXE_kmsproof"))
        .args(["conform", "--target", ADDRESS, "--profile", "strict"])
        // The management interface: is_server_listening and inq_stats are for everybody.
        .args(["--interface", "afa8bd80-7d8a-11c9-bef4-08002b102989@1.0", "--opnum", "1", "--stub", "0400000000000000"])
        .args(["--disposable-host", "--out", "json=-"])
        .arg("--known-failures")
        .arg(&differences)
        .output()
        .unwrap();
    let told = String::from_utf8_lossy(&ran.stderr);
    assert_eq!(ran.status.code(), Some(0), "{told}");
    let record: serde_json::Value = serde_json::from_slice(&ran.stdout).unwrap();
    let verdicts = record["cases"].as_array().unwrap().iter().map(|case| case["verdict"].as_str().unwrap());
    let passed = verdicts.filter(|verdict| *verdict == "pass").count();
    assert!(passed >= 60, "only {passed} cases and checks passed: {told}");
}
