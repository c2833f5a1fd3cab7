//! Tests in processes of their own: this program again, with one test and a job.

use std::io::{PipeReader, PipeWriter, Read};
use std::process::{Child, Command, Stdio};

const JOB: &str = "BEDROCK_CATALOG_TEST_JOB";
const READY: &str = "is ready\n";

/// The job of this process; `None` in the parent.
pub fn job() -> Option<String> {
    std::env::var(JOB).ok()
}

/// Starts a process for the test `module::name` with a job.
pub fn start(test: &str, job: &str) -> Child {
    start_with(test, job, Stdio::inherit())
}

fn start_with(test: &str, job: &str, input: impl Into<Stdio>) -> Child {
    Command::new(std::env::current_exe().unwrap())
        .args([test, "--exact", "--nocapture"])
        .env(JOB, job)
        .stdin(input)
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap()
}

/// Holds processes until all of them are ready, so that they begin at once.
#[derive(Debug)]
pub struct Gate {
    closed: PipeReader,
    open: PipeWriter,
}

impl Gate {
    /// A closed gate.
    #[allow(clippy::new_without_default)]
    pub fn new() -> Self {
        let (closed, open) = std::io::pipe().unwrap();
        Self { closed, open }
    }

    /// Starts a process that calls [`wait_at_gate`].
    pub fn start(&self, test: &str, job: &str) -> Child {
        start_with(test, job, self.closed.try_clone().unwrap())
    }

    /// Opens once all are ready.
    pub fn open<'a>(self, waiting: impl IntoIterator<Item = &'a mut Child>) {
        for child in waiting {
            let (output, mut all) = (child.stdout.as_mut().unwrap(), Vec::new());
            while !all.ends_with(READY.as_bytes()) {
                let mut byte = [0];
                output.read_exact(&mut byte).expect("it ended early");
                all.extend(byte);
            }
        }
        drop(self.open);
    }
}

/// Reports that this process is ready, and waits for the others.
pub fn wait_at_gate() {
    print!("{READY}");
    std::io::stdin().read_to_end(&mut Vec::new()).unwrap();
}

/// The output of a process that succeeds.
pub fn output(child: Child) -> String {
    let output = child.wait_with_output().unwrap();
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{text}\n{errors}");
    text
}

/// The text after `NAME=` in the output of a process that succeeds.
pub fn value(child: Child, name: &str) -> String {
    let output = output(child);
    let line = output
        .lines()
        .find_map(|line| line.split_once(&format!("{name}=")));
    let (_, value) = line.unwrap_or_else(|| panic!("no {name}: {output}"));
    value.trim().to_owned()
}
