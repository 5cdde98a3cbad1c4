namespace Aries.Benchmarks.Managed;

/// <summary>What one process measured of one way to make a training step.</summary>
/// <param name="Pairs">The pairs of a step.</param>
/// <param name="Tokens">Their tokens, prompts and responses, chosen and rejected.</param>
/// <param name="Seconds">The time of each step after the first.</param>
/// <param name="UsefulOperations">The floating-point operations that a step needs: see <see cref="TrainingWork.UsefulOperations"/>.</param>
/// <param name="PeakGflops">The machine's fused multiply-adds on registers, in GFLOP/s, measured before, between and after.</param>
/// <param name="PeakMegabytes">The most memory that the process held, in MB: the runtime, the model and the step.</param>
internal sealed record StepResult(int Pairs, int Tokens, double[] Seconds, double UsefulOperations, double PeakGflops, double PeakMegabytes)
{
    /// <summary>Gets the time of the quickest step: others' work on the machine only ever adds time.</summary>
    public double Best => Seconds.Min();

    public double PairsPerSecond => Pairs / Best;

    public double ShareOfPeak => UsefulOperations / Best / 1e9 / PeakGflops;
}
