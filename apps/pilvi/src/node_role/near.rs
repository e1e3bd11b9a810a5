//! What workloads find near them, in AWS's terms: the API of the server, by the variables that AWS's clients look at.

use std::collections::BTreeMap;
use std::future::Future;
use std::pin::Pin;

use node::agent::{LocalAddresses, LocalCall, LocalEndpoint, LocalListener};
use tracing::debug;
use workload::{Spec, WorkloadId};

use crate::door::WayToDoor;

/// Where AWS's clients look for the address of all services.
const ENDPOINT: &str = "AWS_ENDPOINT_URL";
/// Where they look for the region.
const REGION: &str = "AWS_REGION";

/// What is served near workloads of one server.
#[derive(Debug)]
pub(crate) struct NearWorkloads {
    /// How the server's API is reached from the node.
    pub(crate) way: WayToDoor,
    /// The API's own address, for workloads in the host's network, where no address is theirs alone; empty if it is not known.
    pub(crate) endpoint: String,
    /// The region that the server is in.
    pub(crate) region: String,
}

impl LocalEndpoint for NearWorkloads {
    fn env(&self, _: &WorkloadId, _: &Spec, at: &LocalAddresses) -> BTreeMap<String, String> {
        let endpoint = match at.path_prefix.is_empty() {
            true => format!("http://{}", at.endpoint),
            false => self.endpoint.clone(),
        };
        let variables = [(ENDPOINT, endpoint), (REGION, self.region.clone())];
        // What is not known is not set: an empty address would be taken for one.
        variables
            .into_iter()
            .filter(|(_, value)| !value.is_empty())
            .map(|(name, value)| (name.to_owned(), value))
            .collect()
    }

    fn serve(&self, call: LocalCall) -> Pin<Box<dyn Future<Output = ()> + Send>> {
        let LocalCall { workload, listener, path_prefix, stream, .. } = call;
        let way = self.way.clone();
        Box::pin(async move {
            // A signature covers the path: the API cannot be below a prefix, and needs none.
            if listener != LocalListener::Endpoint || !path_prefix.is_empty() {
                return;
            }
            if let Err(error) = way.hand_over(workload.clone(), stream).await {
                debug!(%workload, %error, "a workload's connection to the API broke off");
            }
        })
    }
}
