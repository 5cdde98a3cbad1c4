namespace Aries;

/// <summary>The methods that refinement is compared with at equal tokens, each as a <see cref="SelfRefiner"/> of its own settings.</summary>
/// <threadsafety>Every member may be called concurrently.</threadsafety>
public static class Baselines
{
    /// <summary>Makes the direct answer: one sample, no refinement.</summary>
    /// <param name="policy">The policy; the caller disposes it.</param>
    /// <param name="sampling">How tokens are drawn; null for the defaults.</param>
    /// <exception cref="ArgumentException">An argument is null or outside its range.</exception>
    public static SelfRefiner Direct(IPolicyModel policy, SamplingOptions? sampling = null) =>
        new(policy, new ParallelSampling(1), new SelfRefinerOptions { Sampling = sampling ?? new SamplingOptions() });

    /// <summary>Makes independent samples, of which the last is the answer and all are in the trace.</summary>
    /// <param name="policy">The policy; the caller disposes it.</param>
    /// <param name="sampleCount">The number of samples; 1 or greater.</param>
    /// <param name="sampling">How tokens are drawn; null for the defaults.</param>
    /// <exception cref="ArgumentException">An argument is null or outside its range.</exception>
    public static SelfRefiner ParallelSamples(IPolicyModel policy, int sampleCount, SamplingOptions? sampling = null) =>
        new(policy, new ParallelSampling(sampleCount), new SelfRefinerOptions { Sampling = sampling ?? new SamplingOptions() });

    /// <summary>Makes best-of-N: the sample with the best score is the answer.</summary>
    /// <param name="policy">The policy; the caller disposes it.</param>
    /// <param name="sampleCount">N; 1 or greater.</param>
    /// <param name="scorer">Scores the samples.</param>
    /// <param name="sampling">How tokens are drawn; null for the defaults.</param>
    /// <exception cref="ArgumentException">An argument is null or outside its range.</exception>
    public static SelfRefiner BestOf(IPolicyModel policy, int sampleCount, IRewardScorer scorer, SamplingOptions? sampling = null)
    {
        ArgumentNullException.ThrowIfNull(scorer);
        SelfRefinerOptions options = new() { Sampling = sampling ?? new SamplingOptions(), FinalAnswer = FinalAnswer.BestScored };
        return new SelfRefiner(policy, new ParallelSampling(sampleCount), options, scorer);
    }

    /// <summary>Makes the majority vote (self-consistency): the answer that most samples give.</summary>
    /// <remarks>Wang et al. 2022, <see href="https://arxiv.org/abs/2203.11171"/>.</remarks>
    /// <param name="policy">The policy; the caller disposes it.</param>
    /// <param name="sampleCount">The number of samples; 1 or greater.</param>
    /// <param name="extractor">Reads the answer out of a sample.</param>
    /// <param name="sampling">How tokens are drawn; null for the defaults.</param>
    /// <exception cref="ArgumentException">An argument is null or outside its range.</exception>
    public static SelfRefiner MajorityVote(IPolicyModel policy, int sampleCount, IAnswerExtractor extractor, SamplingOptions? sampling = null)
    {
        ArgumentNullException.ThrowIfNull(extractor);
        SelfRefinerOptions options = new()
        {
            Sampling = sampling ?? new SamplingOptions(),
            FinalAnswer = FinalAnswer.MajorityVote,
            AnswerExtractor = extractor,
        };
        return new SelfRefiner(policy, new ParallelSampling(sampleCount), options);
    }
}
