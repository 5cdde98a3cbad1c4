using System.Runtime.CompilerServices;
using System.Runtime.ExceptionServices;
using Microsoft.Extensions.AI;

namespace Aries.Extensions.AI;

/// <summary>A chat client that answers by refinement: the client beneath drafts and rewrites, and one of the drafts is the response.</summary>
/// <remarks>
/// <para>
/// The response is the chosen draft's own, with the usage of all calls summed and the chain in its <see cref="ChatResponse.AdditionalProperties"/> (read it with <c>GetRefinementTrace</c>). It
/// carries no <see cref="ChatResponse.ConversationId"/>: what a service keeps of a rewrite is not the user's conversation.
/// </para>
/// <para>
/// These requests are left alone, and go to the client beneath as they are: those with tools, or an answer in JSON; with a conversation that the service keeps; for
/// an answer in the background; with tool calls in their history; and those that do not end with words of the user. A response that is more than text (a tool call, a picture) or that was withheld is not rewritten.
/// </para>
/// <para>
/// A stream shows the answer as it comes where it is known which draft will be the answer: in the last planned turn, when the last draft is the answer. Where a refinement ends earlier, or the choice is
/// made among the drafts, the chosen draft is given at once when that is known. The last update alone carries the usage and the chain.
/// </para>
/// <para>A draft without any text is not the answer where another has some: the latest of those is.</para>
/// </remarks>
/// <threadsafety>Every member may be called concurrently, as far as the client beneath, the strategy and the scorer may.</threadsafety>
public sealed class SelfRefiningChatClient : DelegatingChatClient
{
    private readonly SelfRefinementOptions _options;
    private readonly TimeProvider _time;

    /// <summary>Creates the client.</summary>
    /// <param name="innerClient">The client beneath; disposed with this one.</param>
    /// <param name="options">How it refines; null for the defaults. Copied.</param>
    /// <param name="timeProvider">The clock; null for the system's.</param>
    /// <exception cref="ArgumentNullException"><paramref name="innerClient"/> is null.</exception>
    /// <exception cref="ArgumentException">An option is outside its range, contradicts another, or needs a scorer where there is none.</exception>
    public SelfRefiningChatClient(IChatClient innerClient, SelfRefinementOptions? options = null, TimeProvider? timeProvider = null)
        : base(innerClient)
    {
        options ??= new SelfRefinementOptions();
        options.Validate();
        (_options, _time) = (options with { }, timeProvider ?? TimeProvider.System);
    }

    /// <inheritdoc />
    /// <exception cref="ArgumentException"><paramref name="messages"/> is null, or a setting of the request is outside its range.</exception>
    /// <exception cref="RefinementException">A call after the first failed, and the options say to throw.</exception>
    /// <exception cref="OperationCanceledException">The token was cancelled.</exception>
    public override async Task<ChatResponse> GetResponseAsync(
        IEnumerable<ChatMessage> messages, ChatOptions? options = null, CancellationToken cancellationToken = default)
    {
        Plan plan = Prepare(messages, options);
        if (plan.Request is null)
        {
            return await base.GetResponseAsync(plan.Messages, plan.ChatOptions, cancellationToken).ConfigureAwait(false);
        }

        Run run = new(this, plan, cancellationToken);
        RefinementResult result = await run.Refiner.RefineAsync(run.Request.Prompt, cancellationToken).ConfigureAwait(false);
        return CreateResponse(run, result);
    }

    /// <inheritdoc />
    /// <exception cref="ArgumentException"><paramref name="messages"/> is null, or a setting of the request is outside its range; thrown by the call, not by the enumeration.</exception>
    /// <exception cref="RefinementException">A call after the first failed, and the options say to throw.</exception>
    /// <exception cref="OperationCanceledException">The token was cancelled.</exception>
    public override IAsyncEnumerable<ChatResponseUpdate> GetStreamingResponseAsync(
        IEnumerable<ChatMessage> messages, ChatOptions? options = null, CancellationToken cancellationToken = default)
    {
        Plan plan = Prepare(messages, options);
        return plan.Request is null ? base.GetStreamingResponseAsync(plan.Messages, plan.ChatOptions, cancellationToken) : StreamAsync(plan, cancellationToken);
    }

    private async IAsyncEnumerable<ChatResponseUpdate> StreamAsync(Plan plan, [EnumeratorCancellation] CancellationToken cancellationToken)
    {
        Run run = new(this, plan, cancellationToken);
        RequestPolicy policy = run.Policy;
        RefinementStepKind kind = RefinementStepKind.Draft;
        ChatResponseUpdate? shown = null;
        bool hasText = false;
        await foreach (RefinementUpdate update in run.Refiner.RefineStreamingAsync(run.Request.Prompt, cancellationToken).ConfigureAwait(false))
        {
            switch (update)
            {
                case StepStartedUpdate started:
                    (kind, policy.IsLive) = (started.Kind, started.IsFinalAnswer);
                    break;
                case StepTextUpdate text when policy.IsLive:
                    foreach (ChatResponseUpdate live in policy.TakeLive())
                    {
                        yield return shown = Cleaned(live);
                    }

                    break;
                case StepTextUpdate text when run.Options.StreamDrafts:
                    yield return new ChatResponseUpdate(ChatRole.Assistant, [new RefinementDraftContent(text.StepIndex, kind, text.Text)]);
                    break;
                case StepCompletedUpdate { Step: { } step } when policy.IsLive && (step.Text.Length > 0 || !hasText):
                    foreach (ChatResponseUpdate live in policy.TakeLive())
                    {
                        yield return shown = Cleaned(live);
                    }

                    break;
                case StepCompletedUpdate { Step: { } step }:
                    hasText |= step.Kind == RefinementStepKind.Draft && step.Text.Length > 0;
                    break;
                case RefinementCompletedUpdate { Result: { } result }:
                    if (shown is not null && result.Error is { } error)
                    {
                        ExceptionDispatchInfo.Throw(error);
                    }

                    ChatResponse response = CreateResponse(run, result);
                    foreach (ChatResponseUpdate last in shown is null ? response.ToChatResponseUpdates() : [CreateLast(response, shown)])
                    {
                        yield return last;
                    }

                    break;
                default:
                    break;
            }
        }
    }

    private Plan Prepare(IEnumerable<ChatMessage> messages, ChatOptions? options)
    {
        ArgumentNullException.ThrowIfNull(messages);
        SelfRefinementOptions? own = _options;
        if (RefinementProperties.AreIn(options))
        {
            own = RefinementChatOptionsExtensions.Resolve(options!, _options);
            options = RefinementProperties.Without(options!);
        }

        // Copied: the caller's list may grow while the chain runs.
        ChatMessage[] copy = [.. messages];
        return new Plan(copy, options, own ?? _options, own is null ? null : RefinableRequest.Find(copy, options));
    }

    private static ChatResponse CreateResponse(Run run, RefinementResult result)
    {
        if (result.AnswerIndex is not { } chosen)
        {
            throw result.Error is { } error ? Rethrown(error) : new InvalidOperationException($"The strategy {run.Options.Strategy} asked for no answer.");
        }

        if (result.Error is not null && run.Options.OnFailure == FailureBehavior.Throw)
        {
            throw new RefinementException(result.Trace, result.Error);
        }

        (int answer, int step) = Choose(result.Trace, chosen);
        ChatResponse response = run.Policy.Responses[step];
        return new ChatResponse
        {
            Messages = [.. response.Messages],
            ResponseId = response.ResponseId,
            ModelId = response.ModelId,
            CreatedAt = response.CreatedAt,
            FinishReason = response.FinishReason,
            RawRepresentation = response.RawRepresentation,
            Usage = ChatUsage.Sum(run.Policy.Responses),
            AdditionalProperties = RefinementProperties.Write(response.AdditionalProperties, result.Trace, answer),
        };
    }

    /// <summary>Returns the index of the answer among the drafts, and among the steps.</summary>
    private static (int Draft, int Step) Choose(RefinementTrace trace, int chosen)
    {
        (int Draft, int Step) answer = default;
        (int Draft, int Step)? withText = null;
        int draft = 0;
        for (int step = 0; step < trace.Steps.Count; step++)
        {
            if (trace.Steps[step].Kind != RefinementStepKind.Draft)
            {
                continue;
            }

            answer = draft == chosen ? (draft, step) : answer;
            withText = trace.Steps[step].Text.Length > 0 ? (draft, step) : withText;
            draft++;
        }

        return trace.Steps[answer.Step].Text.Length == 0 && withText is { } other ? other : answer;
    }

    // Usage comes once, at the end and of all calls; a conversation of the service's is not the user's.
    private static ChatResponseUpdate Cleaned(ChatResponseUpdate update)
    {
        if (update.ConversationId is null && !update.Contents.Any(content => content is UsageContent))
        {
            return update;
        }

        return new ChatResponseUpdate(update.Role, [.. update.Contents.Where(content => content is not UsageContent)])
        {
            AuthorName = update.AuthorName,
            RawRepresentation = update.RawRepresentation,
            AdditionalProperties = update.AdditionalProperties,
            ResponseId = update.ResponseId,
            MessageId = update.MessageId,
            CreatedAt = update.CreatedAt,
            FinishReason = update.FinishReason,
            ModelId = update.ModelId,
        };
    }

    private static ChatResponseUpdate CreateLast(ChatResponse response, ChatResponseUpdate shown) =>
        new(ChatRole.Assistant, response.Usage is { } usage ? [new UsageContent(usage)] : [])
        {
            ResponseId = shown.ResponseId,
            MessageId = shown.MessageId,
            FinishReason = response.FinishReason,
            ModelId = response.ModelId,
            AdditionalProperties = response.AdditionalProperties,
        };

    // The exception that the client beneath threw, with its own stack: what catches it there catches it here.
    private static Exception Rethrown(Exception error)
    {
        ExceptionDispatchInfo.Throw(error);
        return error;
    }

    /// <summary>What is to be done for a request; one without a <see cref="Request"/> is passed on.</summary>
    private readonly record struct Plan(ChatMessage[] Messages, ChatOptions? ChatOptions, SelfRefinementOptions Options, RefinableRequest? Request);

    /// <summary>One refinement: a response, or one enumeration of a stream.</summary>
    private readonly struct Run
    {
        public Run(SelfRefiningChatClient client, Plan plan, CancellationToken cancellationToken)
        {
            (Request, Options) = (plan.Request!, plan.Options);
            Policy = new RequestPolicy(client.InnerClient, Request, plan.ChatOptions, cancellationToken);
            Refiner = new SelfRefiner(Policy, new UntilFinalResponse(Options.Strategy, Policy), Options.ToRefinerOptions(plan.ChatOptions), Options.Scorer, client._time);
        }

        public RefinableRequest Request { get; }

        public SelfRefinementOptions Options { get; }

        public RequestPolicy Policy { get; }

        public SelfRefiner Refiner { get; }
    }

    /// <summary>Asks as the strategy says, until a response comes that is not to be rewritten.</summary>
    private sealed class UntilFinalResponse(IRefinementStrategy strategy, RequestPolicy policy) : IRefinementStrategy
    {
        public RefinementStep? NextStep(RefinementTrace trace) => policy.HasFinalResponse ? null : strategy.NextStep(trace);
    }
}
