//! A real PostgreSQL server.

use std::ffi::OsString;
use std::fs::{self, File};
use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::os::unix::fs::{MetadataExt, PermissionsExt, chown};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use tempfile::TempDir;

use crate::free_port;

/// How long a server may take until it answers; after a kill it recovers first.
const START_TIMEOUT: Duration = Duration::from_secs(40);
/// How often another port is tried: between our choice and the server's bind, someone else may take it.
const PORTS_TRIED: usize = 5;
/// The superuser of every server that is started here.
const SUPERUSER: &str = "postgres";

/// Why no server runs.
#[derive(Debug, thiserror::Error)]
pub enum PostgresError {
    /// The programs are not installed.
    #[error("initdb is not installed: run `apt-get install postgresql`")]
    NotInstalled,
    /// The operating system refused something.
    #[error("cannot start postgres: {0}")]
    Io(#[from] io::Error),
    /// A program ended with an error; what it printed follows.
    #[error("{0}")]
    Failed(String),
}

/// Whether what is committed must survive the machine.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Durability {
    /// Nothing is synced: fast, and safe from every fault but a loss of power.
    Fast,
    /// As in production.
    Synced,
}

/// A `postgres` process of its own, on a free port of 127.0.0.1, in a temporary directory. Connections from this machine
/// need no password. When the tests run as root, which PostgreSQL refuses to be, it runs as the system's user `postgres`.
///
/// Dropping it kills the process and removes the directory; the directory stays when the test panics.
#[derive(Debug)]
pub struct PostgresServer {
    child: Option<Child>,
    port: u16,
    programs: PathBuf,
    runs_as: Option<(u32, u32)>,
    arguments: Vec<OsString>,
    dir: Option<TempDir>,
}

impl PostgresServer {
    /// Starts a server that syncs nothing.
    ///
    /// # Errors
    /// [`PostgresError`], which says how to install the server where it is missing.
    pub async fn start() -> Result<Self, PostgresError> {
        Self::start_with(Durability::Fast, |_| Ok(Vec::new())).await
    }

    /// Starts a server with further arguments, such as `-c max_connections=10`. They may name files that are put into the
    /// given directory, which is the server's data directory.
    ///
    /// # Errors
    /// [`PostgresError`] as for [`PostgresServer::start`].
    pub async fn start_with(
        durability: Durability,
        arguments: impl FnOnce(&Path) -> io::Result<Vec<OsString>>,
    ) -> Result<Self, PostgresError> {
        let programs = programs().ok_or(PostgresError::NotInstalled)?;
        let dir = tempfile::Builder::new().prefix("keyward-postgres-").tempdir()?;
        let runs_as = not_root(dir.path())?;
        let mut server =
            Self { child: None, port: 0, programs, runs_as, arguments: Vec::new(), dir: Some(dir) };
        server.init()?;
        server.arguments = arguments(&server.data())?;
        server.give_away(&server.data())?;
        if durability == Durability::Fast {
            server.arguments.splice(0..0, fast());
        }
        for _ in 1..PORTS_TRIED {
            server.port = free_port()?;
            if server.restart().await.is_ok() {
                return Ok(server);
            }
        }
        server.port = free_port()?;
        server.restart().await?;
        Ok(server)
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        (Ipv4Addr::LOCALHOST, self.port).into()
    }

    /// The `postgres://` address of a database, for the superuser.
    pub fn url(&self, database: &str) -> String {
        self.url_as(SUPERUSER, database)
    }

    /// The same for another role.
    pub fn url_as(&self, role: &str, database: &str) -> String {
        format!("postgres://{role}@{}/{database}", self.address())
    }

    /// Makes a database.
    ///
    /// # Errors
    /// When the server refuses.
    pub fn create(&self, database: &str) -> Result<(), PostgresError> {
        self.sql("postgres", &format!("CREATE DATABASE {database}")).map(|_| ())
    }

    /// Runs SQL as the superuser and returns what it printed: a line a row, columns apart by `|`.
    ///
    /// # Errors
    /// When the server cannot be reached or refuses.
    pub fn sql(&self, database: &str, statements: &str) -> Result<String, PostgresError> {
        let mut psql = self.client("psql", database);
        psql.args(["--no-psqlrc", "--quiet", "--tuples-only", "--no-align", "--set=ON_ERROR_STOP=1"]);
        let printed = finish(psql.args(["--command", statements]))?;
        Ok(String::from_utf8_lossy(&printed).trim_end().to_owned())
    }

    /// Begins SQL as the superuser, on a connection that lasts until the process ends.
    ///
    /// # Errors
    /// When the process cannot be started.
    pub fn begin_sql(&self, database: &str, statements: &str) -> Result<Child, PostgresError> {
        let mut psql = self.client("psql", database);
        psql.args(["--no-psqlrc", "--command", statements]);
        Ok(psql.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).spawn()?)
    }

    /// All of a database as `pg_dump` writes it, in plain SQL.
    ///
    /// # Errors
    /// When the server cannot be reached or refuses.
    pub fn dump(&self, database: &str) -> Result<Vec<u8>, PostgresError> {
        finish(&mut self.client("pg_dump", database))
    }

    /// Kills the server at once (SIGKILL). Its other processes end when they see that it is gone. The port stays reserved
    /// for a restart.
    pub fn kill(&mut self) {
        if let Some(mut child) = self.child.take() {
            // An error means that it is gone already.
            let _ = child.kill();
            let _ = child.wait();
        }
    }

    /// Kills the server and all of its other processes at once: nothing of it is left to acknowledge anything.
    pub fn kill_all(&mut self) {
        let Some(child) = &self.child else { return };
        // Stopped first, so that it starts no others meanwhile.
        signal("-STOP", &[child.id()]);
        signal("-KILL", &self.others());
        self.kill();
    }

    /// The server's other processes, such as those that serve connections.
    pub fn others(&self) -> Vec<u32> {
        let Some(child) = &self.child else { return Vec::new() };
        let Ok(processes) = fs::read_dir("/proc") else { return Vec::new() };
        let ids = processes.filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok());
        ids.filter(|id| state(*id).is_some_and(|(_, parent)| parent == child.id())).collect()
    }

    /// Whether a process is there still; one that has ended and waits for its parent is not.
    pub fn runs(process: u32) -> bool {
        state(process).is_some_and(|(state, _)| !matches!(state, 'Z' | 'X'))
    }

    /// Starts it again on the same data and port, and waits until it answers. Kills it first if it runs.
    ///
    /// # Errors
    /// [`PostgresError`] as for [`PostgresServer::start`].
    pub async fn restart(&mut self) -> Result<(), PostgresError> {
        self.kill();
        let begun = Instant::now();
        loop {
            // What is left of a killed server holds its memory for a moment, and the next one refuses to start.
            self.child = Some(self.spawn()?);
            while begun.elapsed() < START_TIMEOUT && !self.exited() {
                if self.answers() {
                    return Ok(());
                }
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
            self.kill();
            let log = fs::read_to_string(self.log()).unwrap_or_default();
            if begun.elapsed() >= START_TIMEOUT || !log.contains("still in use") {
                return Err(PostgresError::Failed(format!("postgres does not answer; its log:\n{log}")));
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }

    fn init(&self) -> Result<(), PostgresError> {
        let mut initdb = self.program("initdb");
        initdb.arg("--pgdata").arg(self.data()).args(["--username", SUPERUSER, "--auth", "trust"]);
        initdb.args(["--encoding", "UTF8", "--locale", "C.UTF-8", "--no-sync", "--no-instructions"]);
        finish(&mut initdb).map(|_| ())
    }

    fn spawn(&self) -> Result<Child, PostgresError> {
        let out = File::create(self.log())?;
        let mut command = self.program("postgres");
        command.arg("-D").arg(self.data()).arg("-p").arg(self.port.to_string());
        command.args(["-c", "listen_addresses=127.0.0.1", "-c", "unix_socket_directories="]);
        command.args(&self.arguments);
        Ok(command.stdin(Stdio::null()).stdout(out.try_clone()?).stderr(out).spawn()?)
    }

    fn answers(&self) -> bool {
        let mut ready = self.program("pg_isready");
        ready.args(["--quiet", "--host", "127.0.0.1", "--port"]).arg(self.port.to_string());
        ready.status().is_ok_and(|status| status.success())
    }

    fn client(&self, program: &str, database: &str) -> Command {
        let mut command = self.program(program);
        command.args(["--host", "127.0.0.1", "--username", SUPERUSER, "--no-password"]);
        command.arg("--port").arg(self.port.to_string()).args(["--dbname", database]);
        command
    }

    fn program(&self, name: &str) -> Command {
        let mut command = Command::new(self.programs.join(name));
        command.current_dir(self.path()).env("LC_ALL", "C.UTF-8");
        if let Some((user, group)) = self.runs_as {
            command.uid(user).gid(group);
        }
        command
    }

    fn give_away(&self, dir: &Path) -> io::Result<()> {
        let Some((user, group)) = self.runs_as else { return Ok(()) };
        for entry in fs::read_dir(dir)? {
            let entry = entry?;
            if entry.metadata()?.uid() != user {
                chown(entry.path(), Some(user), Some(group))?;
            }
        }
        Ok(())
    }

    fn path(&self) -> &Path {
        self.dir.as_ref().map_or(Path::new("."), TempDir::path)
    }

    fn data(&self) -> PathBuf {
        self.path().join("data")
    }

    fn log(&self) -> PathBuf {
        self.path().join("postgres.log")
    }

    fn exited(&mut self) -> bool {
        self.child.as_mut().is_none_or(|child| !matches!(child.try_wait(), Ok(None)))
    }
}

impl Drop for PostgresServer {
    fn drop(&mut self) {
        self.kill();
        if let Some(dir) = self.dir.take()
            && std::thread::panicking()
        {
            let kept = dir.keep();
            eprintln!("the server's directory is kept: {}", kept.display());
        }
    }
}

fn signal(signal: &str, processes: &[u32]) {
    // An error means that one is gone already.
    let _ = Command::new("kill")
        .arg(signal)
        .args(processes.iter().map(u32::to_string))
        .stderr(Stdio::null())
        .status();
}

/// State and parent of a process (proc(5)).
fn state(process: u32) -> Option<(char, u32)> {
    let stat = fs::read_to_string(format!("/proc/{process}/stat")).ok()?;
    // What stands before is the program's name in parentheses, which may hold anything.
    let mut fields = stat.rsplit_once(") ")?.1.split(' ');
    Some((fields.next()?.chars().next()?, fields.next()?.parse().ok()?))
}

fn fast() -> impl Iterator<Item = OsString> {
    ["-c", "fsync=off", "-c", "full_page_writes=off", "-c", "synchronous_commit=off"]
        .map(OsString::from)
        .into_iter()
}

/// The folder of the server's programs: on the `PATH`, or where Debian puts them, the newest version first.
fn programs() -> Option<PathBuf> {
    let on_path = Command::new("sh").args(["-c", "command -v initdb"]).output().ok();
    let on_path = on_path.and_then(|out| fs::canonicalize(String::from_utf8(out.stdout).ok()?.trim()).ok());
    if let Some(folder) = on_path.as_deref().and_then(Path::parent).filter(|folder| holds_all(folder)) {
        return Some(folder.to_owned());
    }
    let versions = fs::read_dir("/usr/lib/postgresql").ok()?;
    let folders = versions.filter_map(|version| Some(version.ok()?.path().join("bin")));
    folders.filter(|folder| holds_all(folder)).max_by_key(|folder| version_of(folder))
}

fn holds_all(folder: &Path) -> bool {
    ["initdb", "postgres", "pg_isready", "psql", "pg_dump"]
        .iter()
        .all(|program| folder.join(program).is_file())
}

fn version_of(folder: &Path) -> Option<u32> {
    folder.parent()?.file_name()?.to_str()?.parse().ok()
}

/// Whom the server runs as when we are root, to whom the directory is given then.
fn not_root(dir: &Path) -> io::Result<Option<(u32, u32)>> {
    // What we have just made is ours.
    if fs::metadata(dir)?.uid() != 0 {
        return Ok(None);
    }
    let users = fs::read_to_string("/etc/passwd")?;
    let entry = |name: &str| {
        let fields: Vec<&str> = users
            .lines()
            .map(|line| line.split(':').collect())
            .find(|fields: &Vec<&str>| fields.first() == Some(&name))?;
        Some((fields.get(2)?.parse().ok()?, fields.get(3)?.parse().ok()?))
    };
    let (user, group) = entry("postgres").or_else(|| entry("nobody")).ok_or(io::ErrorKind::NotFound)?;
    chown(dir, Some(user), Some(group))?;
    fs::set_permissions(dir, fs::Permissions::from_mode(0o711))?;
    Ok(Some((user, group)))
}

fn finish(command: &mut Command) -> Result<Vec<u8>, PostgresError> {
    let done = command.stdin(Stdio::null()).output()?;
    if done.status.success() {
        return Ok(done.stdout);
    }
    let text = String::from_utf8_lossy(&done.stderr);
    Err(PostgresError::Failed(format!("{}: {text}", command.get_program().to_string_lossy())))
}
