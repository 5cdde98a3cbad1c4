namespace Aries;

/// <summary>Derives the seeds of a run's parts from the run's seed, so that no two parts share draws and none depends on what ran before it.</summary>
internal static class RunSeeds
{
    /// <summary>Returns the seed of a part of a round. Evaluations leave the round out: all rounds are judged on the same draws.</summary>
    public static long Of(long seed, LoopStage stage, int round)
    {
        ulong state = Mix((ulong)seed);
        state = Mix(state ^ (ulong)(int)stage);
        state = Mix(state ^ (stage is LoopStage.Evaluation or LoopStage.GreedyEvaluation ? 0UL : (ulong)(uint)round));
        return (long)state;
    }

    // SplitMix64: Steele, Lea and Flood 2014, "Fast splittable pseudorandom number generators".
    private static ulong Mix(ulong value)
    {
        value += 0x9E3779B97F4A7C15;
        value = (value ^ (value >> 30)) * 0xBF58476D1CE4E5B9;
        value = (value ^ (value >> 27)) * 0x94D049BB133111EB;
        return value ^ (value >> 31);
    }
}
