//! Without a middleware.

use actix_web::App;
use anyhow::Result;

use super::{Running, routes, start};

pub fn start() -> Result<Running> {
    Ok(start!(|| App::new().configure(routes)))
}
