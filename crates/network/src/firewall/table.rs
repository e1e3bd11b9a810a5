//! The table's text.

use std::fmt::Write;

use super::{Frame, Model};
use crate::error::protocol_name;
use crate::limits;

/// Addresses of workloads that others may reach, and the chain that says which others.
pub(super) const INBOUND: &str = "inbound";
/// What is published at one address of the host.
pub(super) const PUBLISHED: &str = "published";
/// What is published at every address of the host.
pub(super) const PUBLISHED_EVERYWHERE: &str = "published_everywhere";

/// The name of a node's table.
pub(crate) fn table_name(tag: &str) -> String {
    format!("pilvi_{tag}")
}

/// The chain that says who reaches a group's members.
pub(super) fn chain_of(group: u32) -> String {
    format!("group_{group}")
}

/// The set of a group's members.
pub(super) fn set_of(group: u32) -> String {
    format!("members_{group}")
}

/// Without the table, whether it is there or not.
pub(crate) fn removal(tag: &str) -> String {
    let table = table_name(tag);
    format!("table inet {table} {{}}\ndelete table inet {table}\n")
}

/// The table in place of what is there, in one transaction.
pub(super) fn render(frame: &Frame, model: &Model) -> String {
    let mut text = removal(&frame.tag);
    let _ = writeln!(text, "table inet {} {{", frame.table());
    text.push_str(&maps(frame, model));
    text.push_str(&groups(model));
    text.push_str(&chains(frame));
    text.push_str("}\n");
    text
}

fn maps(frame: &Frame, model: &Model) -> String {
    let inbound = model.members.iter().flat_map(|(group, members)| {
        members.iter().map(move |address| format!("{address} : jump {}", chain_of(*group)))
    });
    let published = |everywhere: bool| {
        model.published.iter().filter(move |((at, ..), _)| at.is_none() == everywhere).map(
            |((at, protocol, port), (address, to))| {
                let at = at.map(|at| format!("{at} . ")).unwrap_or_default();
                format!("{at}{} . {port} : {address} . {to}", protocol_name(*protocol))
            },
        )
    };
    let denied = ["0.0.0.0/8", "127.0.0.0/8", "169.254.0.0/16", "224.0.0.0/3"]
        .into_iter()
        .map(str::to_owned)
        .chain(frame.denied.iter().map(ToString::to_string));
    [
        block("map", INBOUND, &["type ipv4_addr : verdict"], inbound),
        block(
            "map",
            PUBLISHED,
            &["type ipv4_addr . inet_proto . inet_service : ipv4_addr . inet_service"],
            published(false),
        ),
        block(
            "map",
            PUBLISHED_EVERYWHERE,
            &["type inet_proto . inet_service : ipv4_addr . inet_service"],
            published(true),
        ),
        block("set", "denied", &["type ipv4_addr", "flags interval", "auto-merge"], denied),
        block("set", "flows", &["type ipv4_addr", "size 65535", "flags dynamic"], std::iter::empty()),
    ]
    .concat()
}

fn groups(model: &Model) -> String {
    let mut text = String::new();
    for (group, members) in &model.members {
        text.push_str(&block("set", &set_of(*group), &["type ipv4_addr"], members.iter().map(ToString::to_string)));
        let _ = writeln!(text, "\tchain {} {{\n\t\tip saddr @{} accept\n\t}}", chain_of(*group), set_of(*group));
    }
    text
}

fn block(kind: &str, name: &str, properties: &[&str], elements: impl Iterator<Item = String>) -> String {
    let mut text = format!("\t{kind} {name} {{\n");
    for property in properties {
        let _ = writeln!(text, "\t\t{property}");
    }
    let elements: Vec<String> = elements.collect();
    if !elements.is_empty() {
        let _ = writeln!(text, "\t\telements = {{ {} }}", elements.join(", "));
    }
    text.push_str("\t}\n");
    text
}

/// The chains. `LINKS` are the host's ends of workloads' links.
const CHAINS: &str = r#"	chain source {
		type filter hook prerouting priority raw; policy accept;
		iifname "LINKS" goto from_link
		iifname != "lo" ip daddr GATEWAY drop
		iifname != "lo" ip saddr SUBNET drop
	}
	chain from_link {
		meta nfproto != ipv4 drop
		ip saddr != SUBNET drop
		fib saddr . iif oif missing drop
		ip daddr { 127.0.0.0/8, 255.255.255.255, 224.0.0.0/4 } drop
		fib daddr type { broadcast, anycast, multicast } drop
	}
	chain to_host {
		type filter hook input priority filter - 5; policy accept;
		iifname "LINKS" goto refuse_host
	}
	chain refuse_host {
		ct state vmap { established : accept, related : accept, invalid : drop }
		reject with icmpx type admin-prohibited
	}
	chain between {
		type filter hook forward priority filter - 5; policy accept;
		iifname "LINKS" goto from_workload
		oifname "LINKS" goto from_elsewhere
	}
	chain from_workload {
		ct state vmap { established : accept, related : accept, invalid : drop }
		add @flows { ip saddr ct count over FLOWS } reject with icmpx type admin-prohibited
		oifname "LINKS" goto to_workload
		ip daddr @denied reject with icmpx type admin-prohibited
	}
	chain to_workload {
		ct status dnat accept
		ip daddr vmap @inbound
		reject with icmpx type admin-prohibited
	}
	chain from_elsewhere {
		ct state vmap { established : accept, related : accept, invalid : drop }
		ct status dnat accept
		drop
	}
	chain published_from_elsewhere {
		type nat hook prerouting priority dstnat; policy accept;
		fib daddr type local goto to_published
	}
	chain published_from_host {
		type nat hook output priority -100; policy accept;
		fib daddr type local goto to_published
	}
	chain to_published {
		dnat ip to ip daddr . meta l4proto . th dport map @published
		dnat ip to meta l4proto . th dport map @published_everywhere
	}
	chain as_host {
		type nat hook postrouting priority srcnat; policy accept;
		oifname "LINKS" ip saddr 127.0.0.0/8 snat ip to GATEWAY
		oifname "LINKS" ip saddr SUBNET ct status dnat snat ip to GATEWAY
		oifname != "LINKS" ip saddr SUBNET masquerade
	}
"#;

fn chains(frame: &Frame) -> String {
    CHAINS
        .replace("LINKS", &format!("{}*", crate::place::link_prefix(&frame.tag)))
        .replace("SUBNET", &frame.subnet.to_string())
        .replace("GATEWAY", &frame.gateway.to_string())
        .replace("FLOWS", &limits::FLOWS_MAX.to_string())
}
