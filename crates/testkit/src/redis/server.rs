//! A real Redis server, or Sentinel.

use std::ffi::OsString;
use std::fs::File;
use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use tempfile::TempDir;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::free_port;

/// How long a server may take until it answers.
pub(super) const START_TIMEOUT: Duration = Duration::from_secs(30);
/// How often another port is tried: between our choice and the server's bind, someone else may take it.
const PORTS_TRIED: usize = 5;

/// Why no server runs.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The program is not installed.
    #[error("redis-server is not installed: run `apt-get install redis-server`")]
    NotInstalled,
    /// The operating system refused something.
    #[error("cannot start redis-server: {0}")]
    Io(#[from] io::Error),
    /// It ran, and did not answer; what it logged follows.
    #[error("redis-server does not answer; its log:\n{0}")]
    Silent(String),
    /// Servers run, and did not come to be what they were to be together.
    #[error("redis servers are not {0} yet, after {START_TIMEOUT:?}; they say:\n{1}")]
    NotYet(&'static str, String),
}

/// A `redis-server` process of its own, on a free port of 127.0.0.1, in a temporary directory.
///
/// Dropping it kills the process and removes the directory; the directory stays when the test panics.
#[derive(Debug)]
pub struct RedisServer {
    child: Option<Child>,
    port: u16,
    arguments: Vec<OsString>,
    sentinel: bool,
    login: Option<Login>,
    dir: Option<TempDir>,
}

/// How [`RedisServer::command`] logs in.
#[derive(Debug, Clone)]
pub(super) struct Login {
    pub username: String,
    pub password: String,
}

impl RedisServer {
    /// Starts a server that keeps nothing on disk, without password and TLS, and waits until it answers.
    ///
    /// # Errors
    /// [`StartError`], which says how to install the server where it is missing.
    pub async fn start() -> Result<Self, StartError> {
        Self::start_with(|_| Vec::new()).await
    }

    /// The same with further arguments, such as `--maxmemory 1mb`; they may name files in the given directory.
    ///
    /// # Errors
    /// [`StartError`] as for [`RedisServer::start`].
    pub async fn start_with(arguments: impl FnOnce(&Path) -> Vec<OsString>) -> Result<Self, StartError> {
        Self::start_as(false, None, arguments).await
    }

    pub(super) async fn start_as(
        sentinel: bool,
        login: Option<Login>,
        arguments: impl FnOnce(&Path) -> Vec<OsString>,
    ) -> Result<Self, StartError> {
        let dir = tempfile::Builder::new().prefix("keyward-redis-").tempdir()?;
        let arguments = arguments(dir.path());
        let mut server = Self { child: None, port: 0, arguments, sentinel, login, dir: Some(dir) };
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

    /// Its `redis://` address.
    pub fn url(&self) -> String {
        format!("redis://{}", self.address())
    }

    /// Kills the process at once (SIGKILL) and waits until it is gone. The port stays reserved for a restart.
    pub fn kill(&mut self) {
        if let Some(mut child) = self.child.take() {
            // An error means that it is gone already.
            let _ = child.kill();
            let _ = child.wait();
        }
    }

    /// Starts it again, empty, on the same port, and waits until it answers. Kills it first if it runs.
    ///
    /// # Errors
    /// [`StartError`] as for [`RedisServer::start`].
    pub async fn restart(&mut self) -> Result<(), StartError> {
        self.kill();
        let log = self.path().join("redis.log");
        let out = File::create(&log)?;
        let mut command = Command::new(program());
        if self.sentinel {
            // It keeps what it learns in this file, and will not start without one.
            let file = self.path().join("sentinel.conf");
            File::create(&file)?;
            command.arg(file).arg("--sentinel");
        } else {
            command.args(["--save", "", "--appendonly", "no"]);
        }
        command.args(["--bind", "127.0.0.1", "--daemonize", "no"]);
        command.arg("--port").arg(self.port.to_string()).arg("--dir").arg(self.path()).args(&self.arguments);
        command.stdin(Stdio::null()).stdout(out.try_clone()?).stderr(out);
        self.child = Some(command.spawn().map_err(|e| match e.kind() {
            io::ErrorKind::NotFound => StartError::NotInstalled,
            _ => StartError::Io(e),
        })?);
        let begun = Instant::now();
        while begun.elapsed() < START_TIMEOUT && !self.exited() {
            if self.command("PING").await.is_ok() {
                return Ok(());
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        self.kill();
        Err(StartError::Silent(std::fs::read_to_string(log).unwrap_or_default()))
    }

    /// Sends an inline command on a connection of its own and returns the first bytes of the answer, `-NOAUTH …` and
    /// its like included.
    ///
    /// # Errors
    /// When the server cannot be reached or closes the connection.
    pub async fn command(&self, line: &str) -> io::Result<Vec<u8>> {
        let mut stream = TcpStream::connect(self.address()).await?;
        if let Some(Login { username, password }) = &self.login {
            stream.write_all(format!("AUTH {username} {password}\r\n").as_bytes()).await?;
            let mut ok = [0; 5];
            stream.read_exact(&mut ok).await?;
        }
        stream.write_all(format!("{line}\r\n").as_bytes()).await?;
        let mut answer = vec![0; 65_536];
        let read = stream.read(&mut answer).await?;
        if read == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        answer.truncate(read);
        Ok(answer)
    }

    /// What it answers to a command, as text.
    ///
    /// # Errors
    /// As for [`RedisServer::command`], and when the answer is an error.
    pub async fn text(&self, line: &str) -> io::Result<String> {
        let answer = String::from_utf8_lossy(&self.command(line).await?).into_owned();
        if answer.starts_with('-') { Err(io::Error::other(answer)) } else { Ok(answer) }
    }

    /// Stops the process without ending it (SIGSTOP): connections stay open, and nobody answers.
    ///
    /// # Errors
    /// When there is no process to stop.
    pub fn freeze(&self) -> io::Result<()> {
        self.signal("-STOP")
    }

    /// Lets a stopped process go on (SIGCONT).
    ///
    /// # Errors
    /// When there is no process.
    pub fn thaw(&self) -> io::Result<()> {
        self.signal("-CONT")
    }

    fn signal(&self, signal: &str) -> io::Result<()> {
        let child = self.child.as_ref().ok_or(io::ErrorKind::NotFound)?;
        let status = Command::new("kill").arg(signal).arg(child.id().to_string()).status()?;
        if status.success() { Ok(()) } else { Err(io::ErrorKind::NotFound.into()) }
    }

    /// Whether it runs, as far as is known: false after [`RedisServer::kill`].
    pub fn runs(&self) -> bool {
        self.child.is_some()
    }

    fn path(&self) -> &Path {
        self.dir.as_ref().map_or(Path::new("."), TempDir::path)
    }

    fn exited(&mut self) -> bool {
        self.child.as_mut().is_none_or(|child| !matches!(child.try_wait(), Ok(None)))
    }
}

impl Drop for RedisServer {
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

/// What is started: Redis, or what speaks like it.
#[expect(clippy::disallowed_methods, reason = "at the edge of test programs")]
fn program() -> OsString {
    std::env::var_os("KEYWARD_TEST_REDIS").unwrap_or_else(|| "redis-server".into())
}
