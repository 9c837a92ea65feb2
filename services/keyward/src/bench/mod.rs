#![doc = include_str!("README.md")]

mod echo;
mod figures;
mod load;
mod local;
mod memory;
mod population;
mod postgres;
mod process;

use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use clap::{Args, ValueEnum};
use keyward_api::convert::keystrokes_to_wire;
use keyward_api::v1;
use keyward_simulate::typist::Typist;
use keyward_testkit::{RedisServer, StartError};
use prost::Message;
use prost::bytes::Bytes;
use tempfile::TempDir;
use tonic::transport::{Channel, Endpoint};

use crate::clock::SystemClock;
use crate::demo::portal::{self, Failed, Visit};
use figures::{Bar, Figures};
use load::{Supply, Window, closed, open};
use population::Population;
use postgres::Postgres;
use process::{Cores, Process};

pub use echo::{EchoOptions, serve as serve_echo};

/// Rounds; every figure is the median of one value a round.
const ROUNDS: usize = 3;
/// Connections, and calls in flight on each, of the batched load.
const CONNECTIONS: usize = 4;
const IN_FLIGHT: usize = 16;
/// Clinicians; the logins go round them.
const CLINICIANS: u32 = 48;
/// Real requests that the echo is asked with.
const REAL_REQUESTS: usize = 64;
/// Logins after a start that are not measured.
const WARM_UP: usize = 2_000;
/// The share of its peak rate at which latency under load is measured.
const OPEN_SHARE: f64 = 0.5;
/// Key events of the strawman's request.
const STRAWMAN_KEYS: usize = 100;

/// What to measure.
#[derive(Debug, Clone, Args)]
pub struct BenchOptions {
    /// Length of one window of load, in seconds. A whole run takes about 40 of them and half a minute.
    #[arg(long, value_name = "SECONDS", default_value_t = 0.75, value_parser = window_length)]
    pub seconds: f64,
    /// "auto" starts redis-server where it is installed; "off"; or the URL of one that may be written to.
    #[arg(long, value_name = "auto|off|URL", default_value = "auto")]
    pub redis: String,
    /// "auto" starts postgres where it is installed; "off"; or the URL of an empty database that may be written to. It is
    /// measured together with Redis.
    #[arg(long, value_name = "auto|off|URL", default_value = "auto")]
    pub postgres: String,
    /// Measures one part alone.
    #[arg(long, value_enum, value_name = "PART")]
    pub only: Option<Part>,
}

/// A part of the figures.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Part {
    /// Assess on the embedded store, beside the echo.
    Assess,
    /// Assess with Redis, beside the strawman.
    Redis,
    /// Assess with PostgreSQL and Redis.
    Postgres,
    /// Assess with a passkey assertion, beside a bare verification.
    Passkey,
    /// Latency at a constant rate.
    Open,
    /// Tokens, scores and verifications without a server.
    Local,
    /// Memory of cached profiles.
    Memory,
}

fn window_length(text: &str) -> Result<f64, String> {
    let seconds: f64 = text.parse().map_err(|_| "not a number".to_owned())?;
    if (0.1..=60.0).contains(&seconds) { Ok(seconds) } else { Err("must lie between 0.1 and 60".to_owned()) }
}

/// Measures, and prints one `name=value` line a figure.
///
/// # Errors
/// When a server cannot be started, or a call that should be allowed is not.
pub fn run(options: &BenchOptions, out: &mut impl Write) -> Result<(), Failed> {
    let cores = Cores::choose();
    // Before any thread is started, so that all inherit it.
    if let Some(cores) = cores {
        cores.bind_generator()?;
    }
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(measure(options, cores, out))
}

async fn measure(options: &BenchOptions, cores: Option<Cores>, out: &mut impl Write) -> Result<(), Failed> {
    let mut bench = Bench::new(options, cores).await?;
    writeln!(out, "# {}", bench.conditions())?;
    out.flush()?;
    let wants = |part| options.only.is_none_or(|only| only == part);
    for _ in 0..ROUNDS {
        if wants(Part::Local) || wants(Part::Passkey) {
            local::passkey_finish(&mut bench.figures)?;
        }
        if wants(Part::Local) {
            local::token(&mut bench.figures)?;
            local::score(&mut bench.figures)?;
        }
    }
    if !matches!(options.only, Some(Part::Local | Part::Memory)) {
        bench.over_the_wire(options.only).await?;
    }
    if wants(Part::Memory) {
        local::score(&mut bench.figures)?;
        memory::measure(bench.cores, &mut bench.figures).await?;
    }
    bench.figures.print(out)?;
    bench.verdicts(out)?;
    Ok(())
}

struct Bench {
    cores: Option<Cores>,
    time: Duration,
    folder: TempDir,
    figures: Figures,
    redis: Redis,
    postgres: Postgres,
}

/// Where Redis is.
enum Redis {
    Off(&'static str),
    Ours(RedisServer),
    Url(String),
}

impl Redis {
    async fn find(wanted: &str) -> Result<Self, Failed> {
        match wanted {
            "off" => Ok(Self::Off("off")),
            "auto" => match RedisServer::start().await {
                Ok(server) => Ok(Self::Ours(server)),
                Err(StartError::NotInstalled) => Ok(Self::Off("not installed")),
                Err(error) => Err(error.into()),
            },
            url => Ok(Self::Url(url.to_owned())),
        }
    }

    fn url(&self) -> Option<String> {
        match self {
            Self::Off(_) => None,
            Self::Ours(server) => Some(server.url()),
            Self::Url(url) => Some(url.clone()),
        }
    }
}

/// A server with connections to it.
struct Target {
    process: Process,
    channels: Vec<Channel>,
}

impl Target {
    async fn start(cores: Option<Cores>, arguments: &[String]) -> Result<Self, Failed> {
        let process = Process::start(cores, arguments)?;
        let mut channels = Vec::new();
        for _ in 0..CONNECTIONS {
            let endpoint = Endpoint::from_shared(format!("http://{}", process.address))?;
            channels.push(endpoint.tcp_nodelay(true).connect().await?);
        }
        Ok(Self { process, channels })
    }

    /// One call at a time on one connection.
    async fn lone(&self, supply: &Arc<Supply>, time: Duration) -> Result<Window, Failed> {
        closed(&self.process, &self.channels[..1], 1, supply, time).await
    }

    /// Every connection full.
    async fn batched(&self, supply: &Arc<Supply>, time: Duration) -> Result<Window, Failed> {
        closed(&self.process, &self.channels, IN_FLIGHT, supply, time).await
    }
}

/// The arguments of a served keyward whose limits are out of the way.
fn serve_arguments(data: &Path, redis: Option<&str>, postgres: Option<&str>) -> Vec<String> {
    let mut settings = vec![
        "http.enabled=false".to_owned(),
        "limits.caller_calls_per_second=0".to_owned(),
        "limits.attempts_per_window=1000000".to_owned(),
        "assessment.default_deadline_ms=2000".to_owned(),
        // Thousands of logins are spared the passkey one after another.
        "assessment.typing_proof_every=0".to_owned(),
        "telemetry.log_filter=error".to_owned(),
    ];
    if let Some(url) = redis {
        settings.extend(["store.hot=redis".to_owned(), format!("redis.url={url}")]);
    }
    settings.extend(postgres.into_iter().flat_map(postgres::settings));
    let start =
        ["serve", "--listen", "127.0.0.1:0", "--data-dir", &data.display().to_string()].map(str::to_owned);
    let settings = settings.into_iter().flat_map(|setting| ["--set".to_owned(), setting]);
    start.into_iter().chain(settings).collect()
}

/// A login of 100 key events under a nonce that nobody issued.
fn strawman_request(clock: SystemClock) -> Bytes {
    let visit = Visit { subject: "clinician-0".to_owned(), session: "session-strawman-0".to_owned() };
    let telemetry = v1::Telemetry {
        nonce: "n".repeat(48),
        keystrokes: vec![keystrokes_to_wire(&Typist::new(0).type_text(STRAWMAN_KEYS, 0))],
        ..v1::Telemetry::default()
    };
    let request = v1::AssessRequest {
        request_id: "request-strawman-0".to_owned(),
        assessment: Some(portal::login(clock, &visit, Some(telemetry))),
    };
    request.encode_to_vec().into()
}

impl Bench {
    async fn new(options: &BenchOptions, cores: Option<Cores>) -> Result<Self, Failed> {
        Ok(Self {
            cores,
            time: Duration::from_secs_f64(options.seconds),
            folder: tempfile::Builder::new().prefix("keyward-bench-").tempdir()?,
            figures: Figures::default(),
            redis: Redis::find(&options.redis).await?,
            postgres: match options.only {
                None | Some(Part::Postgres | Part::Open) => Postgres::find(&options.postgres).await?,
                Some(_) => Postgres::Off("not asked for"),
            },
        })
    }

    fn conditions(&self) -> String {
        let cores = match self.cores {
            Some(cores) => format!("server on core {}, generator on core {}", cores.server, cores.generator),
            None => "no cores were bound (taskset or a second core is missing): figures are rough".to_owned(),
        };
        let redis = match &self.redis {
            Redis::Off(why) => format!("redis {why}"),
            Redis::Ours(_) => "redis started on the generator's core".to_owned(),
            Redis::Url(_) => "redis given".to_owned(),
        };
        format!(
            "{cores}; {redis}; {}; {ROUNDS} rounds of {} s windows, medians; a login types {} keys",
            self.postgres.condition(),
            self.time.as_secs_f64(),
            population::KEYS
        )
    }

    /// Every window of a round for each server in turn, so that a slow machine is slow for all.
    async fn over_the_wire(&mut self, only: Option<Part>) -> Result<(), Failed> {
        let wants = |part| only.is_none_or(|only| only == part);
        let data = self.folder.path().join("data");
        let (population, echo_request) = self.settle(&data).await?;
        let echo = Target::start(self.cores, &self.echo_arguments("answer", None)).await?;
        let echoed = Supply::cycle(echo_request);
        let postgres = self.postgres.url().filter(|_| wants(Part::Postgres) || wants(Part::Open));
        let both = self.redis.url().zip(postgres);
        if let Some((_, postgres)) = &both {
            postgres::move_in(&data, &self.file("export"), postgres)?;
        }
        let strawman = match self.redis.url().filter(|_| wants(Part::Redis)) {
            Some(url) => Some(Target::start(self.cores, &self.echo_arguments("outcome", Some(&url))).await?),
            None => None,
        };
        let hundred = Supply::cycle(vec![strawman_request(SystemClock)]);
        for _ in 0..ROUNDS {
            self.closed_windows("echo", &echo, &echoed).await?;
            let embedded = Target::start(self.cores, &serve_arguments(&data, None, None)).await?;
            self.assess_windows("assess", &embedded, &population).await?;
            if wants(Part::Passkey) {
                self.passkey_window(&embedded, &population).await?;
            }
            if wants(Part::Open) {
                self.open_windows("assess", &embedded, &population, &echo, &echoed).await?;
            }
            drop(embedded);
            if let Some((redis, postgres)) = &both {
                let shared = serve_arguments(&data, Some(redis), Some(postgres));
                let shared = Target::start(self.cores, &shared).await?;
                self.assess_windows("assess_postgres_redis", &shared, &population).await?;
                if wants(Part::Open) {
                    self.open_windows("assess_postgres_redis", &shared, &population, &echo, &echoed).await?;
                }
            }
            let Some(strawman) = &strawman else { continue };
            self.closed_windows("strawman", strawman, &hundred).await?;
            let url = self.redis.url();
            let redis = Target::start(self.cores, &serve_arguments(&data, url.as_deref(), None)).await?;
            self.assess_windows("assess_redis", &redis, &population).await?;
            if wants(Part::Open) {
                self.open_windows("assess_redis", &redis, &population, &echo, &echoed).await?;
            }
        }
        Ok(())
    }

    /// Fills the data folder, and keeps a real answer for the echo. Also a few real requests.
    async fn settle(&self, data: &Path) -> Result<(Arc<Population>, Vec<Bytes>), Failed> {
        let server = Target::start(self.cores, &serve_arguments(data, None, None)).await?;
        let population = Population::settle(&server.channels[0], CLINICIANS.into()).await?;
        let answer = population.answer(&server.channels[0]).await?;
        let outcome = v1::AssessResponse {
            decision: Some(v1::Decision { outcome: v1::Outcome::Allow.into(), ..v1::Decision::default() }),
        };
        std::fs::write(self.file("answer"), answer.encode_to_vec())?;
        std::fs::write(self.file("outcome"), outcome.encode_to_vec())?;
        let requests = population.logins(&server.channels, REAL_REQUESTS).await?;
        Ok((population, requests))
    }

    fn file(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn echo_arguments(&self, answer: &str, redis: Option<&str>) -> Vec<String> {
        let mut arguments =
            vec!["bench-echo".to_owned(), "--response".to_owned(), self.file(answer).display().to_string()];
        if let Some(url) = redis {
            arguments.extend(["--redis".to_owned(), url.to_owned()]);
        }
        arguments
    }

    /// One call in flight, then all connections full.
    async fn closed_windows(
        &mut self,
        name: &str,
        target: &Target,
        supply: &Arc<Supply>,
    ) -> Result<(), Failed> {
        target.batched(supply, self.time / 5).await?;
        self.note(&format!("{name}_lone"), &target.lone(supply, self.time).await?);
        self.note(&format!("{name}_batched"), &target.batched(supply, self.time).await?);
        Ok(())
    }

    async fn assess_windows(
        &mut self,
        name: &str,
        target: &Target,
        population: &Arc<Population>,
    ) -> Result<(), Failed> {
        let warm_up = Supply::once(population.logins(&target.channels, WARM_UP).await?);
        target.batched(&warm_up, self.time * 10).await?;
        for (load, yardstick) in [("lone", "echo_lone"), ("batched", "echo_batched")] {
            // No faster than the echo; the supply that is left over is dropped.
            let count = self.calls_in_a_window(&format!("{yardstick}_rps"));
            let supply = Supply::once(population.logins(&target.channels, count).await?);
            let window = match load {
                "lone" => target.lone(&supply, self.time).await?,
                _ => target.batched(&supply, self.time).await?,
            };
            self.note(&format!("{name}_{load}"), &window);
        }
        Ok(())
    }

    async fn passkey_window(&mut self, target: &Target, population: &Arc<Population>) -> Result<(), Failed> {
        // A verification alone takes longer than a tenth of an Assess without.
        let count = self.calls_in_a_window("assess_batched_rps") / 2;
        let supply = Supply::once(population.proven_logins(&target.channels, count).await?);
        let window = target.batched(&supply, self.time).await?;
        self.note("assess_passkey_batched", &window);
        Ok(())
    }

    /// A constant rate, half of what the server can do, for it and for the echo.
    async fn open_windows(
        &mut self,
        name: &str,
        target: &Target,
        population: &Arc<Population>,
        echo: &Target,
        echoed: &Arc<Supply>,
    ) -> Result<(), Failed> {
        let peak = self.figures.latest(&format!("{name}_batched_rps")).unwrap_or_default();
        let rate = (peak * OPEN_SHARE).max(100.0);
        let count = self.calls_in_a_window(&format!("{name}_batched_rps"));
        let supply = Supply::once(population.logins(&target.channels, count).await?);
        let bare = open(&echo.process, &echo.channels, echoed, rate, self.time).await?;
        let ours = open(&target.process, &target.channels, &supply, rate, self.time).await?;
        self.figures.note(format!("{name}_open_rate"), rate);
        self.figures.note(format!("{name}_open_p99_us"), ours.quantile_us(0.99));
        self.figures.note(format!("{name}_open_echo_p99_us"), bare.quantile_us(0.99));
        Ok(())
    }

    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "rates are positive and far below 2^53"
    )]
    fn calls_in_a_window(&self, rate: &str) -> usize {
        (self.figures.latest(rate).unwrap_or_default() * self.time.as_secs_f64()) as usize + 64
    }

    fn note(&mut self, name: &str, window: &Window) {
        let figures = &mut self.figures;
        figures.note(format!("{name}_rps"), window.per_second());
        figures.note(format!("{name}_p50_us"), window.quantile_us(0.5));
        figures.note(format!("{name}_p99_us"), window.quantile_us(0.99));
        figures.note(format!("{name}_p999_us"), window.quantile_us(0.999));
        figures.note(format!("{name}_cpu_us"), window.cpu_us());
        figures.note(format!("{name}_busy"), window.busy());
        if name.starts_with("assess") {
            figures.note(format!("{name}_stepped_up_pct"), window.stepped_up_pct());
        }
    }

    /// What the figures make together, each beside what it must reach.
    fn verdicts(&self, out: &mut impl Write) -> std::io::Result<()> {
        let shared = "assess_postgres_redis";
        for (name, figure, yardstick) in [
            ("over_echo_rps", "batched_rps", "echo_batched_rps"),
            ("over_echo_lone_p50", "lone_p50_us", "echo_lone_p50_us"),
            ("over_echo_cpu", "batched_cpu_us", "echo_batched_cpu_us"),
            ("over_embedded_lone_p99", "lone_p99_us", "assess_lone_p99_us"),
            ("over_embedded_batched_p99", "batched_p99_us", "assess_batched_p99_us"),
        ] {
            let (name, figure) = (format!("{shared}_{name}"), format!("{shared}_{figure}"));
            self.figures.ratio(&mut *out, &name, (&figure, yardstick))?;
        }
        let over = |a: f64, b: f64| a / b;
        let added_ms = |a: f64, b: f64| (a - b) / 1e3;
        let mut verdict = |name, a, b, together: &dyn Fn(f64, f64) -> f64, bar| {
            self.figures.compare(&mut *out, name, (a, b), together, bar)
        };
        let (most, least) = (Bar::AtMost, Bar::AtLeast);
        verdict("assess_over_echo_cpu", "assess_batched_cpu_us", "echo_batched_cpu_us", &over, most(4.0))?;
        verdict("assess_over_echo_lone_p50", "assess_lone_p50_us", "echo_lone_p50_us", &over, most(1.6))?;
        verdict("assess_over_echo_rps", "assess_batched_rps", "echo_batched_rps", &over, least(0.35))?;
        verdict(
            "assess_redis_over_strawman_rps",
            "assess_redis_batched_rps",
            "strawman_batched_rps",
            &over,
            least(0.7),
        )?;
        verdict(
            "assess_added_p99_ms",
            "assess_open_p99_us",
            "assess_open_echo_p99_us",
            &added_ms,
            most(3.0),
        )?;
        verdict(
            "assess_redis_added_p99_ms",
            "assess_redis_open_p99_us",
            "assess_redis_open_echo_p99_us",
            &added_ms,
            most(5.0),
        )?;
        let finish = self.figures.median("passkey_finish_us");
        let passkey = |with: f64, without: f64| with / (finish + 1.3 * without);
        verdict(
            "passkey_cpu_over_finish_and_1_3_assess",
            "assess_passkey_batched_cpu_us",
            "assess_batched_cpu_us",
            &passkey,
            most(1.0),
        )?;
        verdict("token_over_ed25519", "token_us", "ed25519_us", &over, most(1.3))?;
        verdict("score_over_0_055_us", "score_us", "score_us", &|us, _| us / 0.055, most(3.0))?;
        verdict("profile_memory_over_model", "profile_cached_bytes", "model_bytes", &over, most(2.0))
    }
}
