"""Remote sessions as the environments trainers know: `gymnasium.Env`, `gymnasium.vector.VectorEnv`."""
