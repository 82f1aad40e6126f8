//! The real binary as a process of its own, to be signalled, killed and started again on the same
//! data. What it says on stderr is kept.

use super::http::{Client, PATIENCE};
use std::{
    net::SocketAddr,
    ops::Deref,
    process::Stdio,
    sync::{Arc, Mutex},
    time::Duration,
};
use tempfile::TempDir;
use tokio::{
    io::{AsyncBufReadExt, BufReader},
    process::{Child, Command},
    time::timeout,
};

/// What the server says once it listens, up to the address.
const LISTENING: &str = "is listening on http://";

/// The binary under test, without this machine's own settings.
pub fn command() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_sundynix"));
    let ours = |name: &str| {
        name.starts_with("SUNDYNIX_") || ["DATABASE_URL", "OLLAMA_HOST", "RUST_LOG"].contains(&name)
    };
    for (name, _) in std::env::vars().filter(|(name, _)| ours(name)) {
        command.env_remove(name);
    }
    command.kill_on_drop(true).stdin(Stdio::null());
    command
}

/// Runs a command to its end in `dir`: whether it succeeded, and all it said.
pub async fn run(dir: &TempDir, args: &[&str], env: &[(&str, &str)]) -> (bool, String) {
    let mut command = command();
    command
        .args(args)
        .envs(env.iter().copied())
        .current_dir(dir);
    let output = timeout(PATIENCE, command.output()).await;
    let output = output.expect("it did not end").unwrap();
    let said = [output.stdout, output.stderr].concat();
    (output.status.success(), String::from_utf8(said).unwrap())
}

/// A running server; dropping it kills it. It is also a [`Client`] of itself.
pub struct Process {
    /// Where it listens.
    pub addr: SocketAddr,
    /// Its working directory; its data is in `data` below.
    pub dir: TempDir,
    args: Vec<String>,
    env: Vec<(String, String)>,
    child: Child,
    said: Arc<Mutex<String>>,
    client: Client,
}

impl Process {
    /// Starts it on a free port with a data directory of its own and a simulator without pauses,
    /// and with `args` and `env` on top, and waits until it listens.
    pub async fn start(args: &[&str], env: &[(&str, &str)]) -> Self {
        let dir = TempDir::new().unwrap();
        let owned = |(k, v): &(&str, &str)| ((*k).to_owned(), (*v).to_owned());
        let args: Vec<_> = args.iter().map(|arg| (*arg).to_owned()).collect();
        let env: Vec<_> = env.iter().map(owned).collect();
        let (child, addr, said) = launch(&dir, &args, &env).await;
        Process {
            addr,
            dir,
            args,
            env,
            child,
            said,
            client: Client::new(addr),
        }
    }

    /// Starts it again, on the same data, at a new port; it must have ended.
    pub async fn restart(&mut self) {
        let (child, addr, said) = launch(&self.dir, &self.args, &self.env).await;
        self.client = Client::new(addr);
        (self.child, self.addr, self.said) = (child, addr, said);
    }

    /// Sends a signal, by name (`TERM`, `STOP`), to this process alone.
    pub fn signal(&self, name: &str) {
        let pid = self.child.id().expect("it has ended already").to_string();
        // The shell's own `kill`: a bare machine has no other.
        let script = "kill -s \"$0\" \"$1\"";
        let sent = std::process::Command::new("sh")
            .args(["-c", script, name, &pid])
            .status();
        assert!(
            sent.unwrap().success(),
            "SIG{name} could not be sent to {pid}"
        );
    }

    /// Its number.
    pub fn pid(&self) -> u32 {
        self.child.id().expect("it has ended already")
    }

    /// SIGKILL, and waits until it is gone.
    pub async fn kill(&mut self) {
        self.child.kill().await.unwrap();
    }

    /// Waits for its end: its exit code (`None`: a signal ended it).
    pub async fn ended(&mut self) -> Option<i32> {
        let status = timeout(PATIENCE, self.child.wait()).await;
        status
            .unwrap_or_else(|_| panic!("it does not end; it said:\n{}", self.said()))
            .unwrap()
            .code()
    }

    /// Whether it still runs.
    pub fn runs(&mut self) -> bool {
        self.child.try_wait().unwrap().is_none()
    }

    /// All it has said on stderr.
    pub fn said(&self) -> String {
        self.said.lock().unwrap().clone()
    }

    /// Waits until it has said `words`.
    pub async fn says(&self, words: &str) {
        let heard = super::server::until(|| self.said().contains(words));
        let heard = timeout(PATIENCE / 2, heard).await;
        assert!(
            heard.is_ok(),
            "it never said {words:?}, but:\n{}",
            self.said()
        );
    }
}

impl Deref for Process {
    type Target = Client;
    fn deref(&self) -> &Client {
        &self.client
    }
}

async fn launch(
    dir: &TempDir,
    args: &[String],
    env: &[(String, String)],
) -> (Child, SocketAddr, Arc<Mutex<String>>) {
    let mut command = command();
    command
        .args(["serve", "--bind", "127.0.0.1:0", "--data", "data"])
        .env("SUNDYNIX_BACKENDS", "simulator")
        .env("SUNDYNIX_SIMULATOR__FIRST_TOKEN_MS", "0")
        .env("SUNDYNIX_SIMULATOR__TOKEN_MS", "0")
        .args(args)
        .envs(env.iter().map(|(k, v)| (k, v)))
        .current_dir(dir)
        .stdout(Stdio::null())
        .stderr(Stdio::piped());
    let mut child = command.spawn().unwrap();
    let mut lines = BufReader::new(child.stderr.take().unwrap()).lines();
    let said = Arc::new(Mutex::new(String::new()));
    let (heard, (listens, listening)) = (said.clone(), tokio::sync::oneshot::channel());
    tokio::spawn(async move {
        let mut listens = Some(listens);
        while let Ok(Some(line)) = lines.next_line().await {
            if let Some((_, addr)) = line.split_once(LISTENING)
                && let Some(listens) = listens.take()
            {
                let _ = listens.send(addr.trim().parse().unwrap());
            }
            *heard.lock().unwrap() += &(line + "\n");
        }
    });
    match timeout(Duration::from_secs(60), listening).await {
        Ok(Ok(addr)) => (child, addr, said),
        _ => panic!("it did not start; it said:\n{}", said.lock().unwrap()),
    }
}
