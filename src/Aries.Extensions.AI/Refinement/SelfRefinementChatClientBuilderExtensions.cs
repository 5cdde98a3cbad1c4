using Aries;
using Aries.Extensions.AI;

namespace Microsoft.Extensions.AI;

/// <summary>Adds refinement to a pipeline of chat clients.</summary>
/// <remarks>
/// What is added to the builder before stands above and sees one request; what is added after stands beneath and sees every call. Telemetry, resilience, and function invocation belong beneath;
/// a cache may stand on either side, and beneath it keeps every draft.
/// </remarks>
public static class SelfRefinementChatClientBuilderExtensions
{
    /// <summary>Answers by refinement: the client beneath drafts, rewrites its draft, and the last draft is the response.</summary>
    /// <param name="builder">The builder.</param>
    /// <param name="configure">Sets how it refines; null for the defaults: one rewrite, no budget.</param>
    /// <returns>The builder.</returns>
    /// <exception cref="ArgumentException">An argument is null, or an option is outside its range.</exception>
    public static ChatClientBuilder UseSelfRefinement(this ChatClientBuilder builder, Action<SelfRefinementOptions>? configure = null)
    {
        SelfRefinementOptions options = new();
        configure?.Invoke(options);
        return builder.Add(options);
    }

    /// <summary>Answers by best-of-N: the client beneath answers N times at once, and the answer with the best score is the response.</summary>
    /// <param name="builder">The builder.</param>
    /// <param name="sampleCount">N; 1 or greater.</param>
    /// <param name="scorer">Scores the answers: a rule, a reward model or a judge.</param>
    /// <returns>The builder.</returns>
    /// <exception cref="ArgumentException">An argument is null or outside its range.</exception>
    public static ChatClientBuilder UseBestOf(this ChatClientBuilder builder, int sampleCount, IRewardScorer scorer)
    {
        ArgumentNullException.ThrowIfNull(scorer);
        return builder.Add(new SelfRefinementOptions { Strategy = new ParallelSampling(sampleCount), Scorer = scorer, FinalAnswer = FinalAnswer.BestScored });
    }

    private static ChatClientBuilder Add(this ChatClientBuilder builder, SelfRefinementOptions options)
    {
        ArgumentNullException.ThrowIfNull(builder);
        options.Validate();
        SelfRefinementOptions copy = options with { };
        return builder.Use((inner, services) => new SelfRefiningChatClient(inner, copy, services.GetService(typeof(TimeProvider)) as TimeProvider));
    }
}
