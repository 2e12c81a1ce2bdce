"""IKE: the framing that both versions share, IKEv2 with its pre-shared key, and IKEv1 Main Mode."""
