//! The node: what runs as root on a machine that has images and, later, sandboxes. It knows no word of AWS or Kubernetes.
