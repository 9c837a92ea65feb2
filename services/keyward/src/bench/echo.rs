//! The yardsticks: bare tonic services that take and give the real messages, served by a process of their own.
//!
//! `bench-echo` decodes an AssessRequest and returns one AssessResponse as a real server gave it. With `--redis` it is
//! the strawman: it decodes packed key events, makes one GET of 200 bytes and one SET, and adds up 200 x 31 kernel
//! values: about the least that a service of this kind could do.

use std::io::Write;
use std::path::PathBuf;

use clap::Args;
use keyward_api::v1;
use keyward_api::v1::decision_service_server::{DecisionService, DecisionServiceServer};
use prost::Message;
use redis::AsyncCommands;
use redis::aio::{ConnectionManager, ConnectionManagerConfig};
use redis::io::tcp::TcpSettings;
use redis::{Client, IntoConnectionInfo};
use tonic::transport::Server;
use tonic::transport::server::TcpIncoming;
use tonic::{Request, Response, Status};

use crate::demo::portal::Failed;

/// Rows and columns of the strawman's model.
const ROWS: usize = 200;
const COLUMNS: usize = 31;
/// Bytes of the strawman's value in Redis.
const VALUE: usize = 200;
/// The strawman's key.
const KEY: &str = "keyward-bench-strawman";
/// Calls that may wait for Redis at once.
const IN_FLIGHT: usize = 1024;

/// Which yardstick.
#[derive(Debug, Clone, Args)]
pub struct EchoOptions {
    /// A file with the AssessResponse to return.
    #[arg(long)]
    response: PathBuf,
    /// Be the strawman, over this Redis.
    #[arg(long)]
    redis: Option<String>,
}

/// Serves until it is killed.
///
/// # Errors
/// When the file cannot be read, or Redis or a socket cannot be had.
pub async fn serve(options: &EchoOptions) -> Result<(), Failed> {
    let response = v1::AssessResponse::decode(&*std::fs::read(&options.response)?)?;
    let redis = match &options.redis {
        Some(url) => Some(connect(url).await?),
        None => None,
    };
    let incoming = TcpIncoming::bind(([127, 0, 0, 1], 0).into())?.with_nodelay(Some(true));
    println!("gRPC {}", incoming.local_addr()?);
    std::io::stdout().flush()?;
    let service = DecisionServiceServer::new(Yardstick { response, redis, rows: vec![[0.1; COLUMNS]; ROWS] });
    Server::builder().add_service(service).serve_with_incoming(incoming).await?;
    Ok(())
}

async fn connect(url: &str) -> Result<ConnectionManager, Failed> {
    let info = url.into_connection_info()?;
    let info = info.set_tcp_settings(TcpSettings::default().set_nodelay(true));
    let config =
        ConnectionManagerConfig::new().set_pipeline_buffer_size(IN_FLIGHT).set_concurrency_limit(IN_FLIGHT);
    let mut redis = ConnectionManager::new_with_config(Client::open(info)?, config).await?;
    let _: () = redis.set(KEY, vec![7_u8; VALUE]).await?;
    Ok(redis)
}

struct Yardstick {
    response: v1::AssessResponse,
    redis: Option<ConnectionManager>,
    /// The strawman's model.
    rows: Vec<[f32; COLUMNS]>,
}

#[tonic::async_trait]
impl DecisionService for Yardstick {
    async fn assess(
        &self,
        request: Request<v1::AssessRequest>,
    ) -> Result<Response<v1::AssessResponse>, Status> {
        if let Some(redis) = &self.redis {
            strawman(redis.clone(), &self.rows, &request.into_inner()).await?;
        }
        Ok(Response::new(self.response.clone()))
    }

    async fn issue_nonce(
        &self,
        _: Request<v1::IssueNonceRequest>,
    ) -> Result<Response<v1::IssueNonceResponse>, Status> {
        Err(Status::unimplemented("echoes Assess alone"))
    }

    async fn complete_step_up(
        &self,
        _: Request<v1::CompleteStepUpRequest>,
    ) -> Result<Response<v1::CompleteStepUpResponse>, Status> {
        Err(Status::unimplemented("echoes Assess alone"))
    }

    async fn get_risk(
        &self,
        _: Request<v1::GetRiskRequest>,
    ) -> Result<Response<v1::GetRiskResponse>, Status> {
        Err(Status::unimplemented("echoes Assess alone"))
    }

    async fn report_outcome(
        &self,
        _: Request<v1::ReportOutcomeRequest>,
    ) -> Result<Response<v1::ReportOutcomeResponse>, Status> {
        Err(Status::unimplemented("echoes Assess alone"))
    }

    async fn get_token_keys(
        &self,
        _: Request<v1::GetTokenKeysRequest>,
    ) -> Result<Response<v1::GetTokenKeysResponse>, Status> {
        Err(Status::unimplemented("echoes Assess alone"))
    }
}

async fn strawman(
    mut redis: ConnectionManager,
    rows: &[[f32; COLUMNS]],
    request: &v1::AssessRequest,
) -> Result<(), Status> {
    let unavailable = |e: redis::RedisError| Status::unavailable(e.to_string());
    let mut value: Vec<u8> = redis.get(KEY).await.map_err(unavailable)?;
    let score = score(rows, &features(request));
    value.truncate(VALUE - 4);
    value.extend_from_slice(&score.to_le_bytes());
    redis.set(KEY, value).await.map_err(unavailable)
}

/// Hold and press-to-press times of the first keys, in seconds.
fn features(request: &v1::AssessRequest) -> [f32; COLUMNS] {
    let mut features = [0.0; COLUMNS];
    let telemetry = request.assessment.as_ref().and_then(|a| a.telemetry.as_ref());
    let Some(sample) = telemetry.and_then(|t| t.keystrokes.first()) else { return features };
    let times =
        sample.down_us.iter().zip(&sample.up_us).flat_map(|(down, up)| [*down, up.saturating_sub(*down)]);
    for (feature, micros) in features.iter_mut().zip(times) {
        *feature = micros as f32 / 1e6;
    }
    features
}

/// The sum of the RBF kernel's values over all rows.
fn score(rows: &[[f32; COLUMNS]], features: &[f32; COLUMNS]) -> f32 {
    rows.iter()
        .map(|row| {
            let squares = row.iter().zip(features).map(|(a, b)| (a - b) * (a - b));
            (-squares.sum::<f32>()).exp()
        })
        .sum()
}
