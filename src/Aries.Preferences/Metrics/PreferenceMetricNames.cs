namespace Aries.Preferences;

/// <summary>The names of the metrics: those that TRL's preference trainers log, so that dashboards read both, and two of our own for the refinement mode.</summary>
/// <threadsafety>Constants.</threadsafety>
public static class PreferenceMetricNames
{
    /// <summary>Mean loss of a pair.</summary>
    public const string Loss = "loss";

    /// <summary>Mean implicit reward of the chosen response, β · (log πθ − log πref).</summary>
    public const string ChosenRewards = "rewards/chosen";

    /// <summary>Mean implicit reward of the rejected response.</summary>
    public const string RejectedRewards = "rewards/rejected";

    /// <summary>Mean difference of the two rewards.</summary>
    public const string RewardMargins = "rewards/margins";

    /// <summary>Share of pairs whose chosen reward is strictly greater. It is 0 at the first step, where policy and reference agree.</summary>
    public const string RewardAccuracies = "rewards/accuracies";

    /// <summary>Mean summed log-probability of the chosen response, in nats. It often falls during training: only the margin is trained.</summary>
    public const string ChosenLogProbabilities = "logps/chosen";

    /// <summary>Mean summed log-probability of the rejected response, in nats.</summary>
    public const string RejectedLogProbabilities = "logps/rejected";

    /// <summary>Mean margin of the refinement mode in nats, over both previous answers that were scored: LR(y_w|x, y1, z) − LR(y_l|x, y1, z). TRL has no such metric.</summary>
    public const string RefinementMargins = "refinement/margins";

    /// <summary>Share of refinement margins that are strictly greater than 0. TRL has no such metric.</summary>
    public const string RefinementAccuracies = "refinement/accuracies";

    /// <summary>Mean entropy of the policy's next-token distribution over response tokens, in nats; set by the trainer.</summary>
    public const string Entropy = "entropy";

    /// <summary>Euclidean norm of the gradient before clipping; set by the trainer.</summary>
    public const string GradientNorm = "grad_norm";

    /// <summary>Tokens that the run has processed so far; set by the trainer.</summary>
    public const string TokenCount = "num_tokens";
}
