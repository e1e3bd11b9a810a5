//! The registry: OCI Distribution 1.1 over the same records as the API.
