using System.Runtime.CompilerServices;
using Aries;

namespace OpenAICompatibleServer;

/// <summary>The two names that a policy is served under: as it is, and <c>…:refined</c>, which refines each answer before it is given.</summary>
internal sealed class ServedModels(IPolicyModel policy, ServerOptions options)
{
    private const string RefinedSuffix = ":refined";

    private readonly PolicyModelMetadata? _metadata = policy.GetService<PolicyModelMetadata>();

    public string Name => options.ModelName ?? _metadata?.ModelId ?? "model";

    public IReadOnlyList<string> Names => [Name, Name + RefinedSuffix];

    /// <summary>Gets the limit of a request that names none: OpenAI's is the context's end.</summary>
    public int DefaultMaxTokens => _metadata?.ContextLength ?? new SamplingOptions().MaxTokens;

    /// <summary>Answers a call as often as it asks for.</summary>
    public async Task<IReadOnlyList<Response>> AnswerAsync(ChatCall call, CancellationToken cancellationToken)
    {
        if (!IsRefined(call.Model))
        {
            return [.. (await policy.GenerateAsync([.. Enumerable.Range(0, call.ChoiceCount).Select(choice => Request(call, choice))], cancellationToken)).Select(Whole)];
        }

        RefinementResult[] results = await Task.WhenAll(Enumerable.Range(0, call.ChoiceCount).Select(choice => Refiner(call, choice).RefineAsync(call.Prompt, cancellationToken)));
        return [.. results.Select(ToResponse)];
    }

    /// <summary>Streams one answer of a call; of a refined one the final draft, as it is written where it is known to be the final one.</summary>
    public IAsyncEnumerable<ResponseUpdate> StreamAsync(ChatCall call, int choice, CancellationToken cancellationToken) => IsRefined(call.Model)
        ? StreamRefinedAsync(call, choice, cancellationToken)
        : policy.GenerateStreamingAsync(Request(call, choice), cancellationToken);

    /// <summary>Returns a response that is whole; one that failed throws its failure.</summary>
    public static Response Whole(Response response) => response.FinishReason == FinishReason.Error
        ? throw response.Error ?? new InvalidOperationException("The policy reports an error without saying which.")
        : response;

    private async IAsyncEnumerable<ResponseUpdate> StreamRefinedAsync(ChatCall call, int choice, [EnumeratorCancellation] CancellationToken cancellationToken)
    {
        int? final = null;
        string given = "";
        await foreach (RefinementUpdate update in Refiner(call, choice).RefineStreamingAsync(call.Prompt, cancellationToken))
        {
            switch (update)
            {
                case StepStartedUpdate { IsFinalAnswer: true } started:
                    final = started.StepIndex;
                    break;
                case StepTextUpdate text when text.StepIndex == final:
                    given += text.Text;
                    yield return new ResponseUpdate { Text = text.Text };
                    break;
                case RefinementCompletedUpdate { Result: var result }:
                    Response response = ToResponse(result);

                    // The final draft failed in its middle: an earlier one cannot be given any more.
                    yield return response.Text.StartsWith(given, StringComparison.Ordinal)
                        ? new ResponseUpdate { Text = response.Text[given.Length..], Response = response }
                        : throw result.Error ?? new InvalidOperationException("The answer is not the draft that was streamed.");
                    break;
            }
        }
    }

    private bool IsRefined(string model) => model == Name ? false
        : model == Name + RefinedSuffix ? true
        : throw ApiException.NoSuchModel(model, Names);

    private static GenerationRequest Request(ChatCall call, int choice) => new(call.Prompt, Sampling(call, choice));

    // Equal seeds would give equal choices.
    private static SamplingOptions Sampling(ChatCall call, int choice) => call.Sampling with { Seed = call.Sampling.Seed is { } seed ? unchecked(seed + choice) : null };

    private SelfRefiner Refiner(ChatCall call, int choice) =>
        new(policy, new AriesRefinement(options.TurnCount, options.Template), new SelfRefinerOptions { Sampling = Sampling(call, choice) });

    // A refinement that failed half-way still has the drafts before: the best answer that there is.
    private static Response ToResponse(RefinementResult result) => result.Answer is { } answer
        ? new Response { Text = answer, FinishReason = result.Trace.Drafts.ElementAt(result.AnswerIndex!.Value).FinishReason, Usage = result.Usage }
        : throw result.Error ?? new InvalidOperationException("The refinement gave no answer.");
}
