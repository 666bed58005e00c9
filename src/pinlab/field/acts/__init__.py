"""Acts on purpose: pins that we hold, hazards that we bring about; ours, gone after a kill."""
