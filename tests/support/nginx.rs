//! A real nginx, before another server or alone.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use super::server::Server;

/// The server's program (`NGINX_BIN`, PATH, Debian's folders), or `None` after saying that `test`
/// was left out.
pub fn installed(test: &str) -> Option<PathBuf> {
    super::find_or_leave_out(test, "nginx", "nginx", "NGINX_BIN")
}

#[derive(Debug)]
pub struct Nginx {
    server: Server,
}

impl Nginx {
    /// With these directives in its one `server`.
    pub fn start(binary: &Path, server: &str) -> Self {
        let server = Server::start("/who-are-you", |folder, port| {
            let configuration = folder.join("nginx.conf");
            let folder = folder.display();
            let text = format!(
                "daemon off; master_process off; pid {folder}/pid; error_log stderr;
                 events {{ worker_connections 64; }}
                 http {{
                     access_log off;
                     client_body_temp_path {folder}/body; proxy_temp_path {folder}/proxy;
                     fastcgi_temp_path {folder}/fastcgi; uwsgi_temp_path {folder}/uwsgi;
                     scgi_temp_path {folder}/scgi;
                     server {{
                         listen 127.0.0.1:{port};
                         location = /who-are-you {{ return 200 '{folder}'; }}
                         {server}
                     }}
                 }}"
            );
            fs::write(&configuration, text).expect("nginx.conf");
            let mut command = Command::new(binary);
            command.arg("-c").arg(configuration).arg("-e").arg("stderr");
            command
        });
        Self { server }
    }

    pub fn url(&self) -> &str {
        self.server.url()
    }
}
