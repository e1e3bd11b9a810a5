//! What connects workloads: network namespaces, the bridge, addresses, published ports, names, and the link-local services by
//! which a workload finds what is served for it alone.
