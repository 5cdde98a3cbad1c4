using Microsoft.Extensions.AI;

namespace Aries.Extensions.AI;

/// <summary>Maps <see cref="SamplingOptions"/> and <see cref="ChatOptions"/> one to one; what has no equal is refused by name.</summary>
internal static class ChatSampling
{
    /// <summary>Writes sampling options into chat options.</summary>
    /// <exception cref="NotSupportedException">An option has no equal.</exception>
    public static ChatOptions ToChatOptions(GenerationRequest request, ChatOptions? template)
    {
        SamplingOptions sampling = request.Options;
        Refuse(request.IncludeLogProbabilities, nameof(GenerationRequest.IncludeLogProbabilities), "ask an engine that has them");
        Refuse(sampling.MinP != 0, nameof(SamplingOptions.MinP), "set it to 0, or give it in the service's own form in ChatClientPolicyOptions.Template");
        Refuse(sampling.RepetitionPenalty != 1, nameof(SamplingOptions.RepetitionPenalty), "set it to 1, or give it in the service's own form in ChatClientPolicyOptions.Template");
        ChatOptions options = template?.Clone() ?? new ChatOptions();
        options.Temperature = sampling.Temperature;
        options.TopP = sampling.TopP;
        options.TopK = sampling.TopK > 0 ? sampling.TopK : null;
        options.MaxOutputTokens = sampling.MaxTokens;
        options.StopSequences = sampling.StopSequences.Count > 0 ? [.. sampling.StopSequences] : null;
        options.Seed = sampling.Seed;
        return options;

        static void Refuse(bool isSet, string name, string advice)
        {
            if (isSet)
            {
                throw new NotSupportedException($"{name} has no equal among the options of a chat client: {advice}.");
            }
        }
    }

    /// <summary>Reads sampling options out of chat options.</summary>
    /// <param name="options">What a caller asks; null for nothing.</param>
    /// <param name="defaults">The values of what it leaves open.</param>
    /// <param name="modelId">The only model that can be asked for, or null where its name is not known.</param>
    /// <exception cref="NotSupportedException">An option has no equal.</exception>
    public static SamplingOptions ToSampling(ChatOptions? options, SamplingOptions defaults, string? modelId)
    {
        if (options is null)
        {
            return defaults;
        }

        if (FindUnsupported(options, modelId) is { } name)
        {
            throw new NotSupportedException($"A policy model has no equal of the chat option {name}. Leave it unset, or use a client that honours it.");
        }

        return new SamplingOptions
        {
            Temperature = options.Temperature ?? defaults.Temperature,
            TopP = options.TopP ?? defaults.TopP,
            TopK = options.TopK ?? defaults.TopK,
            MinP = defaults.MinP,
            RepetitionPenalty = defaults.RepetitionPenalty,
            MaxTokens = options.MaxOutputTokens ?? defaults.MaxTokens,
            StopSequences = options.StopSequences is { Count: > 0 } stops ? [.. stops] : defaults.StopSequences,
            Seed = options.Seed ?? defaults.Seed,
        };
    }

    /// <summary>Returns the first option that sampling sets itself, or null.</summary>
    public static string? FindSampling(ChatOptions options) => options switch
    {
        { Temperature: not null } => nameof(ChatOptions.Temperature),
        { TopP: not null } => nameof(ChatOptions.TopP),
        { TopK: not null } => nameof(ChatOptions.TopK),
        { MaxOutputTokens: not null } => nameof(ChatOptions.MaxOutputTokens),
        { StopSequences.Count: > 0 } => nameof(ChatOptions.StopSequences),
        { Seed: not null } => nameof(ChatOptions.Seed),
        _ => null,
    };

    private static string? FindUnsupported(ChatOptions options, string? modelId) => options switch
    {
        { FrequencyPenalty: not (null or 0) } => nameof(ChatOptions.FrequencyPenalty),
        { PresencePenalty: not (null or 0) } => nameof(ChatOptions.PresencePenalty),
        { Reasoning: not null } => nameof(ChatOptions.Reasoning),
        { ResponseFormat: not (null or ChatResponseFormatText) } => nameof(ChatOptions.ResponseFormat),
        { Tools.Count: > 0 } => nameof(ChatOptions.Tools),
        { ConversationId: not null } => nameof(ChatOptions.ConversationId),
#pragma warning disable MEAI001 // Going on with an answer is experimental; a request for it is refused, and no more.
        { ContinuationToken: not null } => nameof(ChatOptions.ContinuationToken),
#pragma warning restore MEAI001
        { RawRepresentationFactory: not null } => nameof(ChatOptions.RawRepresentationFactory),
        { AdditionalProperties.Count: > 0 } => $"{nameof(ChatOptions.AdditionalProperties)} ({string.Join(", ", options.AdditionalProperties.Keys.Order(StringComparer.Ordinal))})",
        { ModelId: { } asked } when modelId is not null && asked != modelId => $"{nameof(ChatOptions.ModelId)} (asked for is {asked}, and the model is {modelId})",
        _ => null,
    };
}
