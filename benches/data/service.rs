//! A service that is called in the process, as a server would call it.

use std::net::SocketAddr;

use actix_influxdb::InfluxMetrics;
use actix_web::{
    App, Error,
    body::{MessageBody, to_bytes},
    dev::{Service, ServiceResponse},
    test::{TestRequest, init_service},
    web,
};

fn route() -> actix_web::Resource {
    web::resource("/users/{id}")
        .name("user")
        .to(async || "a user")
}

/// Without the middleware.
pub async fn bare()
-> impl Service<actix_http::Request, Response = ServiceResponse<impl MessageBody>, Error = Error> {
    init_service(App::new().service(route())).await
}

/// With it.
pub async fn measured(
    metrics: InfluxMetrics,
) -> impl Service<actix_http::Request, Response = ServiceResponse<impl MessageBody>, Error = Error>
{
    init_service(App::new().service(route()).wrap(metrics)).await
}

/// One request, from its head to the end of the response's body.
async fn request<S, B>(service: &S)
where
    S: Service<actix_http::Request, Response = ServiceResponse<B>, Error = Error>,
    B: MessageBody,
{
    let peer = SocketAddr::from(([127, 0, 0, 1], 4_000));
    let request = TestRequest::with_uri("/users/7")
        .peer_addr(peer)
        .to_request();
    let response = service.call(request).await.expect("the handler can't fail");
    let body = to_bytes(response.into_body()).await;
    assert!(body.is_ok_and(|body| body == "a user"));
}

pub async fn requests<S, B>(service: &S, times: u32)
where
    S: Service<actix_http::Request, Response = ServiceResponse<B>, Error = Error>,
    B: MessageBody,
{
    for _ in 0..times {
        request(service).await;
    }
}
