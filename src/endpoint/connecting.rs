use actix_rt::net::TcpStream;
use actix_service::{Service, ServiceExt as _};
use actix_tls::connect::{ConnectError, ConnectInfo, Connection, Connector};
use awc::http::Uri;

/// Makes connections that send at once. The end of a batch would else wait up to 40 ms for the server
/// to acknowledge what was sent before (Nagle's algorithm, which awc leaves on).
pub(super) fn connecting()
-> impl Service<ConnectInfo<Uri>, Response = Connection<Uri, TcpStream>, Error = ConnectError> + Clone
{
    Connector::default()
        .service()
        .map(|connection: Connection<Uri, TcpStream>| {
            // Without it, it is slower.
            _ = connection.io_ref().set_nodelay(true);
            connection
        })
}

#[cfg(test)]
mod tests {
    use std::net::TcpListener;

    use super::*;

    #[actix::test]
    async fn a_connection_sends_at_once() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let uri: Uri = format!("http://{}", listener.local_addr().unwrap())
            .parse()
            .unwrap();
        let connection = connecting().call(ConnectInfo::new(uri)).await.unwrap();
        assert!(connection.io_ref().nodelay().unwrap());
    }
}
