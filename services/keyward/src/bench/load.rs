//! The generator: closed loops, which find the ceiling, and open loops, which find the latency under it.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use hdrhistogram::Histogram;
use http::uri::PathAndQuery;
use keyward_api::v1;
use prost::Message;
use prost::bytes::{Buf, BufMut, Bytes};
use tonic::client::Grpc;
use tonic::codec::{Codec, DecodeBuf, Decoder, EncodeBuf, Encoder};
use tonic::transport::Channel;
use tonic::{Request, Status};

use super::process::Process;
use crate::demo::portal::Failed;

/// The method that is measured.
const ASSESS: &str = "/keyward.v1.DecisionService/Assess";
/// Latencies are kept to 3 digits, up to a minute.
const DIGITS: u8 = 3;
const LONGEST_NS: u64 = 60_000_000_000;
/// The pacer sleeps no longer than this at once, so that answers are taken off the wire.
const NAP: Duration = Duration::from_micros(50);

/// Requests, encoded beforehand.
pub(super) struct Supply {
    requests: Vec<Bytes>,
    next: AtomicUsize,
    /// Whether to begin again at the end.
    cycle: bool,
}

impl Supply {
    /// Each request once.
    pub(super) fn once(requests: Vec<Bytes>) -> Arc<Self> {
        Arc::new(Self { requests, next: AtomicUsize::new(0), cycle: false })
    }

    /// The same requests over and over.
    pub(super) fn cycle(requests: Vec<Bytes>) -> Arc<Self> {
        Arc::new(Self { requests, next: AtomicUsize::new(0), cycle: true })
    }

    fn take(&self) -> Option<Bytes> {
        let next = self.next.fetch_add(1, Ordering::Relaxed);
        let index = if self.cycle { next % self.requests.len() } else { next };
        self.requests.get(index).cloned()
    }
}

/// What a window of load showed.
pub(super) struct Window {
    latencies_ns: Histogram<u64>,
    stepped_up: u64,
    wall: Duration,
    cpu: Duration,
}

impl Window {
    /// Logins that were asked for a passkey, in a hundred.
    pub(super) fn stepped_up_pct(&self) -> f64 {
        100.0 * self.stepped_up as f64 / self.latencies_ns.len() as f64
    }

    pub(super) fn per_second(&self) -> f64 {
        self.latencies_ns.len() as f64 / self.wall.as_secs_f64()
    }

    /// Server processor time, in microseconds a call.
    pub(super) fn cpu_us(&self) -> f64 {
        self.cpu.as_secs_f64() * 1e6 / self.latencies_ns.len() as f64
    }

    /// The share of the time in which the server's core was busy with it.
    pub(super) fn busy(&self) -> f64 {
        self.cpu.as_secs_f64() / self.wall.as_secs_f64()
    }

    pub(super) fn quantile_us(&self, quantile: f64) -> f64 {
        self.latencies_ns.value_at_quantile(quantile) as f64 / 1e3
    }
}

/// What calls leave behind.
struct Seen {
    latencies_ns: Histogram<u64>,
    /// The first answer that was no ALLOW, or the first error.
    failure: Option<String>,
    /// Calls that were answered by STEP_UP: as much work, with a challenge in place of a token.
    stepped_up: u64,
}

type Shared = Arc<Mutex<Seen>>;

/// Keeps so many calls in flight on each connection until the time or the supply runs out.
pub(super) async fn closed(
    server: &Process,
    channels: &[Channel],
    in_flight: usize,
    supply: &Arc<Supply>,
    time: Duration,
) -> Result<Window, Failed> {
    let (cpu, begun) = (server.cpu()?, Instant::now());
    let seen = shared()?;
    let workers: Vec<_> = channels
        .iter()
        .flat_map(|channel| std::iter::repeat_n(channel, in_flight))
        .map(|channel| {
            let mut caller = Caller::new(channel);
            let (supply, seen) = (supply.clone(), seen.clone());
            tokio::spawn(async move {
                while begun.elapsed() < time
                    && let Some(request) = supply.take()
                {
                    let sent = Instant::now();
                    let answer = caller.call(request).await;
                    note(&seen, sent, answer);
                }
            })
        })
        .collect();
    for worker in workers {
        worker.await?;
    }
    window(server, cpu, begun, &seen)
}

/// Sends at a constant rate, whatever comes back. Latency counts from the moment at which a call was due.
pub(super) async fn open(
    server: &Process,
    channels: &[Channel],
    supply: &Arc<Supply>,
    rate: f64,
    time: Duration,
) -> Result<Window, Failed> {
    let (cpu, begun) = (server.cpu()?, Instant::now());
    let seen = shared()?;
    let mut calls = Vec::new();
    for number in 0_u32.. {
        let due = begun + Duration::from_secs_f64(f64::from(number) / rate);
        if due >= begun + time {
            break;
        }
        while Instant::now() < due {
            tokio::task::yield_now().await;
            // tokio's timer counts milliseconds, which is too coarse here.
            std::thread::sleep(due.saturating_duration_since(Instant::now()).min(NAP));
        }
        let Some(request) = supply.take() else { break };
        let mut caller = Caller::new(&channels[number as usize % channels.len()]);
        let seen = seen.clone();
        calls.push(tokio::spawn(async move {
            let answer = caller.call(request).await;
            note(&seen, due, answer);
        }));
    }
    for call in calls {
        call.await?;
    }
    window(server, cpu, begun, &seen)
}

/// Limits are moved until usual typing is taken for unusual in one login of fifty (`assessment.friction_budget`). More than one
/// in so many is another measurement.
const STEPPED_UP_ONE_IN: u64 = 20;

fn shared() -> Result<Shared, Failed> {
    let latencies_ns = Histogram::new_with_max(LONGEST_NS, DIGITS)?;
    Ok(Arc::new(Mutex::new(Seen { latencies_ns, stepped_up: 0, failure: None })))
}

fn note(seen: &Mutex<Seen>, since: Instant, answer: Result<v1::Outcome, Status>) {
    let took = u64::try_from(since.elapsed().as_nanos()).unwrap_or(u64::MAX);
    let mut seen = seen.lock().unwrap_or_else(PoisonError::into_inner);
    seen.latencies_ns.saturating_record(took);
    let failure = match answer {
        Ok(v1::Outcome::Allow) => return,
        Ok(v1::Outcome::StepUp) => {
            seen.stepped_up += 1;
            return;
        }
        Ok(other) => other.as_str_name().to_owned(),
        Err(status) => status.to_string(),
    };
    seen.failure.get_or_insert(failure);
}

fn window(server: &Process, cpu: Duration, begun: Instant, seen: &Mutex<Seen>) -> Result<Window, Failed> {
    let (wall, cpu) = (begun.elapsed(), server.cpu()?.saturating_sub(cpu));
    let mut seen = seen.lock().unwrap_or_else(PoisonError::into_inner);
    // Figures of calls that did not do the work would look good.
    if let Some(failure) = seen.failure.take() {
        return Err(format!("a call that should be allowed was not: {failure}").into());
    }
    let empty = Histogram::new_with_max(LONGEST_NS, DIGITS)?;
    let latencies_ns = std::mem::replace(&mut seen.latencies_ns, empty);
    let stepped_up = std::mem::take(&mut seen.stepped_up);
    if stepped_up * STEPPED_UP_ONE_IN > latencies_ns.len() {
        return Err(format!("{stepped_up} of {} logins were stepped up", latencies_ns.len()).into());
    }
    if latencies_ns.is_empty() {
        return Err("no call was made".into());
    }
    Ok(Window { latencies_ns, stepped_up, wall, cpu })
}

/// Makes calls on one connection.
struct Caller {
    grpc: Grpc<Channel>,
    path: PathAndQuery,
}

impl Caller {
    fn new(channel: &Channel) -> Self {
        Self { grpc: Grpc::new(channel.clone()), path: PathAndQuery::from_static(ASSESS) }
    }

    async fn call(&mut self, request: Bytes) -> Result<v1::Outcome, Status> {
        self.grpc.ready().await.map_err(|e| Status::unavailable(e.to_string()))?;
        let answer = self.grpc.unary(Request::new(request), self.path.clone(), Encoded);
        answer.await.map(tonic::Response::into_inner)
    }
}

/// Sends what is encoded already, and reads the outcome alone, so that the generator costs little beside the server.
struct Encoded;

impl Codec for Encoded {
    type Encode = Bytes;
    type Decode = v1::Outcome;
    type Encoder = Self;
    type Decoder = Self;

    fn encoder(&mut self) -> Self {
        Self
    }

    fn decoder(&mut self) -> Self {
        Self
    }
}

impl Encoder for Encoded {
    type Item = Bytes;
    type Error = Status;

    fn encode(&mut self, item: Bytes, dst: &mut EncodeBuf<'_>) -> Result<(), Status> {
        dst.put(item);
        Ok(())
    }
}

impl Decoder for Encoded {
    type Item = v1::Outcome;
    type Error = Status;

    fn decode(&mut self, src: &mut DecodeBuf<'_>) -> Result<Option<v1::Outcome>, Status> {
        let bytes = src.copy_to_bytes(src.remaining());
        let slim = SlimResponse::decode(bytes).map_err(|e| Status::internal(e.to_string()))?;
        let outcome = slim.decision.map_or(0, |decision| decision.outcome);
        Ok(Some(v1::Outcome::try_from(outcome).unwrap_or_default()))
    }
}

/// An AssessResponse of which only the outcome is kept.
#[derive(Clone, PartialEq, Message)]
struct SlimResponse {
    #[prost(message, optional, tag = "1")]
    decision: Option<SlimDecision>,
}

#[derive(Clone, PartialEq, Message)]
struct SlimDecision {
    #[prost(enumeration = "v1::Outcome", tag = "2")]
    outcome: i32,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_outcome_is_where_the_contract_has_it() {
        let mut decision = v1::Decision { id: "d".into(), ..v1::Decision::default() };
        decision.set_outcome(v1::Outcome::StepUp);
        let bytes = v1::AssessResponse { decision: Some(decision) }.encode_to_vec();
        let slim = SlimResponse::decode(&*bytes).unwrap();
        assert_eq!(slim.decision.unwrap().outcome(), v1::Outcome::StepUp);
    }

    #[test]
    fn a_supply_ends_or_begins_again() {
        let requests = || vec![Bytes::from_static(b"a"), Bytes::from_static(b"b")];
        let (once, cycle) = (Supply::once(requests()), Supply::cycle(requests()));
        let five = |supply: &Supply| (0..5).filter(|_| supply.take().is_some()).count();
        assert_eq!((five(&once), five(&cycle)), (2, 5));
    }
}
