//! The tower layer that puts [`authorise`] in front of every gRPC service of a daemon.
//!
//! Used as `Server::builder().layer(AuthoriseLayer::new(domain))`, so that a service added later is
//! behind it without anybody remembering.

use std::future::{Ready, ready};
use std::sync::Arc;
use std::task::{Context, Poll};

use futures::future::Either;
use tonic::Status;
use tower::{Layer, Service};

use super::{PeerIdentity, PeerInfo, TrustDomain, authorise};

/// Makes [`Authorise`] services for one daemon's trust domain.
#[derive(Debug, Clone)]
pub struct AuthoriseLayer {
    ours: Arc<TrustDomain>,
}

impl AuthoriseLayer {
    pub fn new(ours: TrustDomain) -> AuthoriseLayer {
        AuthoriseLayer {
            ours: Arc::new(ours),
        }
    }
}

impl<S> Layer<S> for AuthoriseLayer {
    type Service = Authorise<S>;

    fn layer(&self, inner: S) -> Authorise<S> {
        Authorise {
            ours: Arc::clone(&self.ours),
            inner,
        }
    }
}

/// Refuses what the table does not allow, and tells the handler who called otherwise.
#[derive(Debug, Clone)]
pub struct Authorise<S> {
    ours: Arc<TrustDomain>,
    inner: S,
}

impl<S, B, R> Service<http::Request<B>> for Authorise<S>
where
    S: Service<http::Request<B>, Response = http::Response<R>>,
    R: Default,
{
    type Response = http::Response<R>;
    type Error = S::Error;
    type Future = Either<Ready<Result<Self::Response, Self::Error>>, S::Future>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, mut request: http::Request<B>) -> Self::Future {
        let peer = request.extensions().get::<PeerInfo>();
        match authorise(&self.ours, request.uri().path(), peer) {
            Ok(identity) => {
                let caller = PeerIdentity {
                    identity: Arc::clone(identity),
                    remote: peer.and_then(PeerInfo::remote),
                };
                request.extensions_mut().insert(caller);
                Either::Right(self.inner.call(request))
            }
            Err(refusal) => {
                // The caller gets the same words; here they are for the person who is looking for
                // the reason on the other machine.
                tracing::warn!(remote = ?peer.and_then(PeerInfo::remote), %refusal, "call refused");
                Either::Left(ready(Ok(Status::from(&refusal).into_http())))
            }
        }
    }
}
