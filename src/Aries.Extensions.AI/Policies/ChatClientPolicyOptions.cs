using Microsoft.Extensions.AI;

namespace Aries.Extensions.AI;

/// <summary>How <see cref="ChatClientPolicyModel"/> asks its client.</summary>
/// <threadsafety>Not synchronised: a component copies the options that it is given.</threadsafety>
public sealed record ChatClientPolicyOptions
{
    /// <summary>Gets or sets the largest number of calls of the client that run at once, over all batches and streams.</summary>
    /// <value>1 or greater. The default is 16.</value>
    public int MaxConcurrency { get; set; } = 16;

    /// <summary>Gets or sets what every call's options begin as: the model's name, reasoning effort, options in the service's own form.</summary>
    /// <value>The default is null: nothing. Copied. What <see cref="SamplingOptions"/> decides must be unset in it.</value>
    public ChatOptions? Template { get; set; }

    /// <summary>Gets or sets the meaning of finish reasons that are not of the usual words, for a service that has its own.</summary>
    /// <value>The default is none: a word that is not known fails the request, and the error names it.</value>
    public IReadOnlyDictionary<string, FinishReason> FinishReasons { get; set; } = new Dictionary<string, FinishReason>();

    /// <summary>Checks every value.</summary>
    /// <exception cref="ArgumentOutOfRangeException"><see cref="MaxConcurrency"/> is less than 1.</exception>
    /// <exception cref="ArgumentException"><see cref="Template"/> sets what sampling decides, or <see cref="FinishReasons"/> is null or means an error.</exception>
    public void Validate()
    {
        if (MaxConcurrency < 1)
        {
            throw new ArgumentOutOfRangeException(nameof(MaxConcurrency), MaxConcurrency, "MaxConcurrency must be 1 or greater.");
        }

        if (Template is not null && ChatSampling.FindSampling(Template) is { } name)
        {
            throw new ArgumentException($"Template sets {name}, which each request's SamplingOptions decide. Leave it unset in the template.", nameof(Template));
        }

        if (FinishReasons is null || FinishReasons.Values.Any(reason => !Enum.IsDefined(reason) || reason == FinishReason.Error))
        {
            throw new ArgumentException("FinishReasons must be a map to Stop, Length or ContentFilter; an empty map switches it off.", nameof(FinishReasons));
        }
    }

    /// <summary>Returns a copy that shares nothing that can change.</summary>
    internal ChatClientPolicyOptions Copy() => this with
    {
        Template = Template?.Clone(),
        FinishReasons = new Dictionary<string, FinishReason>(FinishReasons, StringComparer.Ordinal),
    };
}
