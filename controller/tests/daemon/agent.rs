//! An agent's service that answers as it is told.

use refit_proto::agent::agent_server::{Agent, AgentServer};
use refit_proto::agent::{
    BeatsRequest, CarryOutEvent, LedgerEntry, LedgerRequest, ObserveRequest, ProbeReply,
    SurveyRequest,
};
use refit_proto::common::{Beat, Observation, Order, Survey};
use refit_proto::identity::AuthoriseLayer;
use refit_proto::tls::{Reloading, accept, server_builder};
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use tokio::net::TcpListener;
use tokio_stream::Stream;
use tonic::{Request, Response, Status};

type Events<T> = Pin<Box<dyn Stream<Item = Result<T, Status>> + Send>>;

/// What the agent answers, whatever it is asked.
#[derive(Debug, Clone)]
pub struct Answers {
    pub observe: Result<Observation, Status>,
    pub carry_out: Vec<Result<CarryOutEvent, Status>>,
    pub beats: Vec<Result<Beat, Status>>,
    pub ledger: Vec<Result<LedgerEntry, Status>>,
}

#[tonic::async_trait]
impl Agent for Answers {
    async fn observe(&self, _: Request<ObserveRequest>) -> Result<Response<Observation>, Status> {
        self.observe.clone().map(Response::new)
    }

    async fn survey(&self, _: Request<SurveyRequest>) -> Result<Response<Survey>, Status> {
        Err(Status::unimplemented("as an older agent answers"))
    }

    type CarryOutStream = Events<CarryOutEvent>;
    async fn carry_out(&self, _: Request<Order>) -> Result<Response<Self::CarryOutStream>, Status> {
        let events = tokio_stream::iter(self.carry_out.clone());
        Ok(Response::new(Box::pin(events)))
    }

    async fn probe(&self, _: Request<Order>) -> Result<Response<ProbeReply>, Status> {
        Err(Status::unimplemented("no test asks"))
    }

    type BeatsStream = Events<Beat>;
    async fn beats(&self, _: Request<BeatsRequest>) -> Result<Response<Self::BeatsStream>, Status> {
        let beats = tokio_stream::iter(self.beats.clone());
        Ok(Response::new(Box::pin(beats)))
    }

    type LedgerStream = Events<LedgerEntry>;
    async fn ledger(
        &self,
        _: Request<LedgerRequest>,
    ) -> Result<Response<Self::LedgerStream>, Status> {
        let entries = tokio_stream::iter(self.ledger.clone());
        Ok(Response::new(Box::pin(entries)))
    }
}

/// Serves until the test ends.
pub async fn serve(answers: Answers, material: Arc<Reloading>) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let domain = material.identity().trust_domain;
    let incoming = accept(listener, material);
    tokio::spawn(
        server_builder()
            .layer(AuthoriseLayer::new(domain))
            .add_service(AgentServer::new(answers))
            .serve_with_incoming(incoming),
    );
    address
}
