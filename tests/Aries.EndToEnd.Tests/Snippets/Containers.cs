using Microsoft.Extensions.DependencyInjection;

namespace Aries.EndToEnd.Tests.Snippets;

/// <summary>The code of docs/guides/dependency-injection.md.</summary>
internal static class Containers
{
    public static IServiceCollection AddRefinement(IServiceCollection services, string modelFolder)
    {
        #region add-aries
        services.AddAries(options =>
            {
                options.Sampling = new SamplingOptions { Temperature = 0.7f, MaxTokens = 64 };
                options.TimeBudget = TimeSpan.FromSeconds(30);
            })
            .AddManaged(modelFolder)
            .UseStrategy(new AriesRefinement(turnCount: 3));
        #endregion
        return services;
    }

    #region answer-service
    /// <summary>A service of the app; the container gives it the refiner.</summary>
    public sealed class AnswerService(SelfRefiner refiner)
    {
        public async Task<string?> AnswerAsync(string question, CancellationToken cancellationToken)
        {
            RefinementResult result = await refiner.RefineAsync(question, cancellationToken);
            return result.Answer;
        }
    }
    #endregion

    public static IServiceCollection AddTraining(IServiceCollection services, string modelFolder, IRewardScorer scorer, IRewardScorer verifier)
    {
        #region add-loop
        services.AddAries()
            .AddManaged(modelFolder, configureTrainer: options => options.LearningRate.Peak = 1e-4)
            .UseSelector(new RewardModelSelection())
            .UseScorer(scorer)
            .AddLoop(options => options.RoundCount = 2, (_, parts) => parts with { TrueScorer = verifier });
        #endregion
        return services;
    }

    public static IServiceCollection ReplacePolicy(IServiceCollection services, IPolicyModel fake)
    {
        #region replace-policy
        services.AddAries().UsePolicy(fake); // the last call wins
        #endregion
        return services;
    }
}
