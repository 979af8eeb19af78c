use actix_web::{
    dev::Url,
    http::{Uri, uri::PathAndQuery},
};

/// The path and query of a request; smaller than a whole `Uri`.
#[derive(Clone, Debug)]
pub(super) struct Target(Option<PathAndQuery>);

impl Target {
    pub(super) fn of(uri: &Uri) -> Self {
        Self(uri.path_and_query().cloned())
    }

    /// Whether this is the target of `uri`.
    pub(super) fn is_of(&self, uri: &Uri) -> bool {
        match (&self.0, uri.path_and_query()) {
            (Some(one), Some(other)) => {
                let (one, other) = (one.as_str(), other.as_str());
                std::ptr::eq(one, other) || one == other
            }
            (one, other) => one.as_ref() == other,
        }
    }

    pub(super) fn path(&self) -> &str {
        self.0.as_ref().map_or("", PathAndQuery::path)
    }

    /// The path as the router sees it: without unnecessary escapes.
    pub(super) fn into_routed_path(self) -> String {
        let uri = self.0.map(Uri::from);
        uri.map_or(String::new(), |uri| Url::new(uri).path().to_owned())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_the_path_and_query_of_a_uri() {
        let uri: Uri = "http://h/%61%2Fb?c=d".parse().unwrap();
        let target = Target::of(&uri);
        assert!(target.is_of(&uri) && target.is_of(&"/%61%2Fb?c=d".parse().unwrap()));
        assert!(!target.is_of(&"/%61%2Fb".parse().unwrap()));
        assert_eq!(target.path(), "/%61%2Fb");
        assert_eq!(target.into_routed_path(), "/a%2Fb");
    }

    #[test]
    fn a_uri_without_a_path_has_none() {
        let uri: Uri = "h:80".parse().unwrap();
        let target = Target::of(&uri);
        assert!(target.is_of(&uri) && !target.is_of(&"/".parse().unwrap()));
        assert_eq!(target.path(), "");
        assert_eq!(target.into_routed_path(), "");
    }
}
