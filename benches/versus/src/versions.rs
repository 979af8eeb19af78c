//! The versions of the packages that this program was built with.

const LOCK: &str = include_str!("../Cargo.lock");

/// As the lock file has it.
pub fn of(package: Option<&str>) -> String {
    let version = package.and_then(|package| find(LOCK, package));
    version.unwrap_or(crate::table::NONE).to_owned()
}

fn find<'a>(lock: &'a str, package: &str) -> Option<&'a str> {
    let (_, after) = lock.split_once(&format!("name = \"{package}\"\nversion = \""))?;
    Some(after.split_once('"')?.0)
}

#[cfg(test)]
mod tests {
    #[test]
    fn a_version_is_found_by_the_whole_name() {
        let lock = "name = \"influxdb-x\"\nversion = \"1.0.0\"\n\nname = \"influxdb\"\nversion = \"0.8.0\"\n";
        assert_eq!(super::find(lock, "influxdb"), Some("0.8.0"));
        assert_eq!(super::find(lock, "influx"), None);
    }
}
