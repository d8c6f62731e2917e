//! The command line, run as whoever uses it does.

use std::io::{BufRead, BufReader, Read};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

/// What a command came to.
pub struct Ran {
    pub code: i32,
    pub stdout: String,
    pub stderr: String,
}

impl Ran {
    /// Whether nothing was found to be wrong. A machine that stood still for a moment makes a measurement invalid,
    /// and what was counted is right all the same.
    pub fn holds(&self) -> bool {
        self.code == 0 || (self.code == 102 && self.stderr.contains("late by our own doing"))
    }
}

/// Runs the command to its end.
pub fn run(mut command: Command) -> Ran {
    let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let (stdout, stderr) = (read_aside(child.stdout.take().unwrap()), read_aside(child.stderr.take().unwrap()));
    let Some(status) = end(&mut child) else {
        panic!("{command:?} did not end:\n{}{}", stdout.join().unwrap(), stderr.join().unwrap());
    };
    Ran {
        code: status.code().expect("it exits by itself"),
        stdout: stdout.join().unwrap(),
        stderr: stderr.join().unwrap(),
    }
}

/// Waits for a command's end; `None` if it had to be ended.
pub fn end(child: &mut Child) -> Option<ExitStatus> {
    let given_up = Instant::now() + HUNG_AFTER;
    loop {
        if let Some(status) = child.try_wait().unwrap() {
            return Some(status);
        }
        if Instant::now() > given_up {
            let _ = child.kill();
            let _ = child.wait();
            return None;
        }
        std::thread::sleep(Duration::from_millis(5));
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

/// A lab host in a process of its own.
pub struct Lab {
    child: Child,
    pub address: String,
}

impl Lab {
    pub fn start(program: &str, arguments: &[&str]) -> Lab {
        let lab = [&["lab", "--listen", "127.0.0.1:0", "--quiet"], arguments].concat();
        let mut child = command(program, &lab).stderr(Stdio::piped()).spawn().unwrap();
        let mut line = String::new();
        BufReader::new(child.stderr.take().unwrap()).read_line(&mut line).unwrap();
        let address = line.strip_prefix("lab host on ").and_then(|rest| rest.split_once(',')).expect("it says where").0;
        Lab { address: address.to_owned(), child }
    }
}

impl Drop for Lab {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
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
const HUNG_AFTER: Duration = Duration::from_secs(240);
