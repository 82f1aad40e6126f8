//! A real PostgreSQL: one private server a test process, one database a test. It ends with the
//! process that started it, however that ends: a shell waits on a pipe for that.

use std::{
    io::{BufRead, BufReader, Write},
    net::TcpListener,
    os::unix::fs::chown,
    path::{Path, PathBuf},
    process::{Child, ChildStdin, Command, Stdio},
    sync::{
        LazyLock,
        atomic::{AtomicU32, Ordering},
        mpsc,
    },
};

/// Starts the server, and stops it when the pipe to this shell closes (or says to keep the data).
/// Children may be stopped (SIGSTOP); they have to go on to end.
const KEEPER: &str = r#"
trap '' INT
"$1/postgres" -D "$2/data" -p "$3" -k "$2" -c listen_addresses=127.0.0.1 -c fsync="$4" \
    -c full_page_writes="$4" -c max_connections=200 -c shared_buffers=32MB &
pid=$!
echo "$pid"
read word
kill -CONT "$pid" $(cat "/proc/$pid/task/$pid/children") 2>/dev/null
kill -INT "$pid" 2>/dev/null
wait "$pid"
[ "$word" = keep ] || rm -rf "$2"
"#;

/// One server.
pub struct Postgres {
    bin: PathBuf,
    dir: PathBuf,
    port: u16,
    fsync: bool,
    running: Option<Running>,
}

struct Running {
    keeper: Child,
    pipe: ChildStdin,
    pid: u32,
}

/// The server that tests share which do nothing to it.
static SHARED: LazyLock<Postgres> = LazyLock::new(|| Postgres::start(false));

/// The URL of a fresh database on the shared server.
pub fn database() -> String {
    SHARED.database()
}

impl Postgres {
    /// A server of one's own, to be stopped and started; `fsync` where a crash of it matters.
    pub fn start(fsync: bool) -> Postgres {
        let bin = binaries();
        let dir = tempfile::Builder::new().prefix("sundynix-pg-").tempdir();
        let dir = dir.expect("a temporary directory").keep();
        if root() {
            let id = Command::new("id")
                .args(["-u", "postgres"])
                .output()
                .expect("id");
            let id = String::from_utf8_lossy(&id.stdout)
                .trim()
                .parse()
                .expect("user postgres");
            chown(&dir, Some(id), None).expect("chown");
        }
        let made = as_postgres(&bin.join("initdb"))
            .args([
                "-N",
                "-A",
                "trust",
                "-U",
                "postgres",
                "--locale=C",
                "-E",
                "UTF8",
            ])
            .arg("-D")
            .arg(dir.join("data"))
            .output()
            .expect("initdb");
        assert!(
            made.status.success(),
            "initdb: {}",
            String::from_utf8_lossy(&made.stderr)
        );
        let mut server = Postgres {
            bin,
            dir,
            port: 0,
            fsync,
            running: None,
        };
        // Between looking for a free port and taking it another process may take it.
        for _ in 0..5 {
            let free = TcpListener::bind("127.0.0.1:0").expect("a free port");
            server.port = free.local_addr().expect("its address").port();
            drop(free);
            if server.resume_from_stop() {
                return server;
            }
        }
        panic!("PostgreSQL does not start");
    }

    /// Makes a fresh database; its URL.
    pub fn database(&self) -> String {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let name = format!("t{}", NEXT.fetch_add(1, Ordering::Relaxed));
        self.sql("postgres", &format!("CREATE DATABASE {name}"));
        format!("postgres://postgres@127.0.0.1:{}/{name}", self.port)
    }

    /// Runs SQL in a database of this server; what it prints, unaligned.
    pub fn sql(&self, database: &str, sql: &str) -> String {
        let port = self.port.to_string();
        let done = Command::new(self.bin.join("psql"))
            .args(["-qAtX", "-h", "127.0.0.1", "-U", "postgres", "-p", &port])
            .args(["-d", database, "-c", sql])
            .output()
            .expect("psql");
        assert!(
            done.status.success(),
            "psql: {}",
            String::from_utf8_lossy(&done.stderr)
        );
        String::from_utf8_lossy(&done.stdout).trim().to_owned()
    }

    /// Shuts it down; connections are cut.
    pub fn stop(&mut self) {
        if let Some(mut running) = self.running.take() {
            let _ = running.pipe.write_all(b"keep\n");
            drop(running.pipe);
            let _ = running.keeper.wait();
        }
    }

    /// Starts it again after [`Postgres::stop`], on the same port with the same data.
    pub fn restart(&mut self) {
        assert!(self.resume_from_stop(), "PostgreSQL does not start again");
    }

    /// Stops all its processes where they are: connections stay, nothing answers.
    pub fn freeze(&self) {
        self.signal("-STOP");
    }

    /// Lets them go on.
    pub fn thaw(&self) {
        self.signal("-CONT");
    }

    fn signal(&self, signal: &str) {
        let pid = self.running.as_ref().expect("it runs").pid;
        let children = format!("/proc/{pid}/task/{pid}/children");
        let children = std::fs::read_to_string(children).expect("its children");
        let mut kill = Command::new("kill");
        kill.arg(signal).arg(pid.to_string());
        kill.args(children.split_whitespace());
        // A child may have ended meanwhile.
        let _ = kill.stderr(Stdio::null()).status().expect("kill");
    }

    fn resume_from_stop(&mut self) -> bool {
        let mut keeper = as_postgres(Path::new("/bin/sh"))
            .args(["-c", KEEPER, "keeper"])
            .arg(&self.bin)
            .arg(&self.dir)
            .arg(self.port.to_string())
            .arg(if self.fsync { "on" } else { "off" })
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("a shell");
        let mut pid = String::new();
        let mut out = BufReader::new(keeper.stdout.take().expect("piped"));
        out.read_line(&mut pid).expect("its process id");
        let errors = BufReader::new(keeper.stderr.take().expect("piped"));
        let (up, is_up) = mpsc::channel();
        // Reads on to the end, or the server would block on its own messages.
        std::thread::spawn(move || {
            for line in errors.lines().map_while(Result::ok) {
                if line.contains("ready to accept connections") {
                    let _ = up.send(());
                }
            }
        });
        let running = Running {
            pipe: keeper.stdin.take().expect("piped"),
            pid: pid.trim().parse().expect("a process id"),
            keeper,
        };
        self.running = Some(running);
        let up = is_up.recv().is_ok();
        if !up {
            self.stop();
        }
        up
    }
}

impl Drop for Postgres {
    fn drop(&mut self) {
        match self.running.take() {
            Some(mut running) => {
                drop(running.pipe);
                let _ = running.keeper.wait();
            }
            None => drop(std::fs::remove_dir_all(&self.dir)),
        }
    }
}

/// PostgreSQL refuses to run as root.
fn as_postgres(program: &Path) -> Command {
    if !root() {
        return Command::new(program);
    }
    let mut command = Command::new("runuser");
    command
        .args(["-u", "postgres", "--"])
        .arg(program)
        .current_dir("/");
    command
}

fn root() -> bool {
    let id = Command::new("id").arg("-u").output().expect("id");
    id.stdout.trim_ascii() == b"0"
}

/// Debian keeps them out of PATH.
fn binaries() -> PathBuf {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let mut places: Vec<_> = std::env::split_paths(&path).collect();
    if let Ok(versions) = std::fs::read_dir("/usr/lib/postgresql") {
        places.extend(versions.flatten().map(|version| version.path().join("bin")));
    }
    let whole = |place: &PathBuf| {
        ["initdb", "postgres", "psql"]
            .iter()
            .all(|name| place.join(name).is_file())
    };
    let found = places.into_iter().rfind(whole);
    found.expect("PostgreSQL: install the package `postgresql`")
}
