using System.Runtime.CompilerServices;
using Microsoft.Extensions.AI;

namespace Aries.Extensions.AI;

/// <summary>A policy model as a chat client, for the whole of Microsoft.Extensions.AI: caching, logging, telemetry, refinement.</summary>
/// <remarks>
/// <para>
/// The chat options that <see cref="SamplingOptions"/> has an equal of are mapped to it, <see cref="ChatOptions.Instructions"/> becomes a system turn at the start, and what is unset
/// has the defaults given to the constructor. All else that is set throws <see cref="NotSupportedException"/> and is named: tools, penalties, reasoning, a response format other than
/// text, another model's name, properties that nothing above took out. So do messages with anything but text, and those of tools.
/// </para>
/// <para>A response that failed alone is thrown as its error.</para>
/// </remarks>
/// <threadsafety>Every member may be called concurrently.</threadsafety>
public sealed class PolicyModelChatClient : IChatClient
{
    private readonly IPolicyModel _policy;
    private readonly SamplingOptions _defaults;
    private readonly bool _ownsPolicy;

    /// <summary>Creates the client.</summary>
    /// <param name="policy">The policy.</param>
    /// <param name="defaults">The values of options that a request leaves unset; null for those of <see cref="SamplingOptions"/>. Copied.</param>
    /// <param name="ownsPolicy">Whether disposing the client disposes the policy. The default is false.</param>
    /// <exception cref="ArgumentNullException"><paramref name="policy"/> is null.</exception>
    /// <exception cref="ArgumentException">An option is outside its range.</exception>
    public PolicyModelChatClient(IPolicyModel policy, SamplingOptions? defaults = null, bool ownsPolicy = false)
    {
        ArgumentNullException.ThrowIfNull(policy);
        defaults ??= new SamplingOptions();
        defaults.Validate();
        (_policy, _defaults, _ownsPolicy) = (policy, defaults with { StopSequences = [.. defaults.StopSequences] }, ownsPolicy);
    }

    /// <inheritdoc />
    /// <exception cref="ArgumentException">There is no message, one is null, the last is not the user's, or an option is outside its range.</exception>
    /// <exception cref="NotSupportedException">An option or a content has no equal in a policy model.</exception>
    public async Task<ChatResponse> GetResponseAsync(
        IEnumerable<ChatMessage> messages, ChatOptions? options = null, CancellationToken cancellationToken = default)
    {
        GenerationRequest request = CreateRequest(messages, options);
        IReadOnlyList<Response> responses = await _policy.GenerateAsync([request], cancellationToken).ConfigureAwait(false);
        Response response = responses[0];
        ThrowIfFailed(response);
        return new ChatResponse(new ChatMessage(ChatRole.Assistant, response.Text))
        {
            FinishReason = ChatFinish.ToChatFinishReason(response.FinishReason),
            ModelId = _policy.GetService<PolicyModelMetadata>()?.ModelId,
            Usage = ChatUsage.ToDetails(response.Usage),
        };
    }

    /// <inheritdoc />
    /// <exception cref="ArgumentException">There is no message, one is null, the last is not the user's, or an option is outside its range; thrown by the call.</exception>
    /// <exception cref="NotSupportedException">An option or a content has no equal in a policy model; thrown by the call.</exception>
    public IAsyncEnumerable<ChatResponseUpdate> GetStreamingResponseAsync(
        IEnumerable<ChatMessage> messages, ChatOptions? options = null, CancellationToken cancellationToken = default) =>
        StreamAsync(CreateRequest(messages, options), cancellationToken);

    /// <inheritdoc />
    public object? GetService(Type serviceType, object? serviceKey = null)
    {
        ArgumentNullException.ThrowIfNull(serviceType);
        return serviceKey is not null ? null
            : serviceType.IsInstanceOfType(this) ? this
            : serviceType == typeof(ChatClientMetadata) ? ChatMetadata.ToChatMetadata(_policy)
            : _policy.GetService(serviceType);
    }

    /// <inheritdoc />
    public void Dispose()
    {
        if (_ownsPolicy)
        {
            _policy.Dispose();
        }
    }

    private async IAsyncEnumerable<ChatResponseUpdate> StreamAsync(GenerationRequest request, [EnumeratorCancellation] CancellationToken cancellationToken)
    {
        string? modelId = _policy.GetService<PolicyModelMetadata>()?.ModelId;
        await foreach (ResponseUpdate update in _policy.GenerateStreamingAsync(request, cancellationToken).ConfigureAwait(false))
        {
            if (update.Text.Length > 0)
            {
                yield return new ChatResponseUpdate(ChatRole.Assistant, update.Text) { ModelId = modelId };
            }

            if (update.Response is { } response)
            {
                ThrowIfFailed(response);
                yield return new ChatResponseUpdate(ChatRole.Assistant, [new UsageContent(ChatUsage.ToDetails(response.Usage))])
                {
                    FinishReason = ChatFinish.ToChatFinishReason(response.FinishReason),
                    ModelId = modelId,
                };
            }
        }
    }

    private GenerationRequest CreateRequest(IEnumerable<ChatMessage> messages, ChatOptions? options)
    {
        ArgumentNullException.ThrowIfNull(messages);
        Prompt prompt = ChatPrompts.ToPrompt(messages, options?.Instructions);
        return new GenerationRequest(prompt, ChatSampling.ToSampling(options, _defaults, _policy.GetService<PolicyModelMetadata>()?.ModelId));
    }

    private static void ThrowIfFailed(Response response)
    {
        if (response.FinishReason == FinishReason.Error)
        {
            throw response.Error ?? new InvalidOperationException("The policy reports an error without saying which.");
        }
    }
}
