//! The command line, run as whoever uses it does.

use std::io::Read;
use std::process::{Command, Stdio};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

/// What a command came to.
pub struct Ran {
    pub code: i32,
    pub stdout: String,
    pub stderr: String,
}

/// Runs the command to its end.
pub fn run(mut command: Command) -> Ran {
    let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let (stdout, stderr) = (read_aside(child.stdout.take().unwrap()), read_aside(child.stderr.take().unwrap()));
    let given_up = Instant::now() + HUNG_AFTER;
    let status = loop {
        if let Some(status) = child.try_wait().unwrap() {
            break status;
        }
        if Instant::now() > given_up {
            let _ = child.kill();
            let _ = child.wait();
            panic!("{command:?} did not end:\n{}{}", stdout.join().unwrap(), stderr.join().unwrap());
        }
        std::thread::sleep(Duration::from_millis(5));
    };
    Ran {
        code: status.code().expect("it exits by itself"),
        stdout: stdout.join().unwrap(),
        stderr: stderr.join().unwrap(),
    }
}

/// `program` with these arguments, and nothing of this environment that would change what it does.
pub fn command(program: &str, arguments: &[&str]) -> Command {
    let mut command = Command::new(program);
    command.args(arguments).env("NO_COLOR", "1").stdin(Stdio::null());
    for (name, _) in std::env::vars().filter(|(name, _)| name.starts_with("KMSPROOF_")) {
        command.env_remove(name);
    }
    command
}

/// Reads a pipe to its end, so that whoever writes to it never waits.
fn read_aside(mut pipe: impl Read + Send + 'static) -> JoinHandle<String> {
    std::thread::spawn(move || {
        let mut text = String::new();
        pipe.read_to_string(&mut text).unwrap();
        text
    })
}

/// A guard against hanging, and no statement about speed.
const HUNG_AFTER: Duration = Duration::from_secs(60);
